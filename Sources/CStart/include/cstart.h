// Nothing to call: what this library does is done before main.
