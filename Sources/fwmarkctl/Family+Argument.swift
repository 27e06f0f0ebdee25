package import ArgumentParser
package import Rules

extension Family: ExpressibleByArgument {}
