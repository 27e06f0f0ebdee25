/// The version of both programs.
package let version = "0.1.0"
