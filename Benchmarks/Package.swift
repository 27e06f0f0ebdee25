// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "fwmarkd-benchmarks",
    dependencies: [.package(name: "fwmarkd", path: "..")],
    targets: [
        .target(name: "CBench"),
        // The driver, which starts everything else in namespaces of its own.
        .executableTarget(name: "bench", dependencies: ["CBench"]),
        // The steps of a reconciliation within one process, as the daemon goes through them.
        .executableTarget(name: "bench-steps", dependencies: [.product(name: "FwmarkdCore", package: "fwmarkd"), "CBench"]),
    ]
)

for target in package.targets where target.type == .executable {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]
}
