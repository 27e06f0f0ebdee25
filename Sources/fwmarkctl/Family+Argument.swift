import ArgumentParser
import Rules

/// `--family ipv4`.
extension Family: ExpressibleByArgument {}
