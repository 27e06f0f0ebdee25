public import ArgumentParser
public import Rules

extension Family: ExpressibleByArgument {}
