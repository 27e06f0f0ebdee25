import Importer
import Reconciler

/// `fwmarkctl import --adopt`: the exchange of typed rules for those of the file, where no packet changes.
struct Adoption {
    private let options: GlobalOptions

    init(_ options: GlobalOptions) { self.options = options }

    func run() async throws {
        throw Failure("not yet")
    }
}
