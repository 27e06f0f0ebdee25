// swift-tools-version: 6.3
// SPDX-License-Identifier: GPL-2.0-or-later
import PackageDescription

// What the packages below bring into the daemon. It is named here so that their versions are fixed as well.
let indirect: [Target.Dependency] = [
    .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
    .product(name: "Atomics", package: "swift-atomics"),
    .product(name: "DequeModule", package: "swift-collections"),
    .product(name: "Metrics", package: "swift-metrics"),
    .product(name: "Tracing", package: "swift-distributed-tracing"),
]

let package = Package(
    name: "fwmarkd",
    products: [
        .executable(name: "fwmarkd", targets: ["fwmarkd"]),
        .executable(name: "fwmarkctl", targets: ["fwmarkctl"]),
    ],
    dependencies: [
        // No traits: the default ones bring in the whole of Foundation (45 MB a program).
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        // Indirect ones.
        .package(url: "https://github.com/apple/swift-async-algorithms", exact: "1.1.4"),
        .package(url: "https://github.com/apple/swift-atomics", exact: "1.3.0"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", exact: "1.7.3"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
    ],
    targets: [
        // C libraries: one Swift module imports each of them.
        .systemLibrary(
            name: "CNetfilter", pkgConfig: "libiptc", providers: [.apt(["libiptc-dev", "libip4tc-dev", "libip6tc-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CDigest", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
        .systemLibrary(name: "CNetlink"),
        .target(name: "CXTables", linkerSettings: [.linkedLibrary("xtables")]),

        // The rooms, in the order in which data flows (docs/architecture.md).
        .target(name: "CStart"),
        .target(name: "CMemory"),
        .target(name: "SystemCalls", dependencies: ["CMemory"]),
        .target(name: "Rules"),
        .target(name: "ConfigurationFile", dependencies: ["Rules", "SystemCalls", "CYAML", "CDigest"]),
        .target(name: "Planner", dependencies: ["Rules", "ConfigurationFile", "SystemCalls"]),
        .target(name: "Netfilter", dependencies: ["Rules", "SystemCalls", "CNetfilter"]),
        .target(name: "Reconciler", dependencies: ["SystemCalls", "Rules", "Netfilter"]),
        .target(name: "Judge", dependencies: ["Rules"]),
        .target(name: "Importer", dependencies: ["Rules", "ConfigurationFile", "Judge", "Planner"]),
        .target(name: "XTables", dependencies: ["Rules", "Netfilter", "CXTables"]),
        .target(name: "Netlink", dependencies: ["Rules", "SystemCalls", "CNetlink"]),
        .target(
            name: "Doctor",
            dependencies: ["Rules", "SystemCalls", "ConfigurationFile", "Planner", "Judge", "Netfilter", "Netlink"]),
        .target(name: "API", dependencies: ["Rules"]),
        .target(name: "Explanations", dependencies: ["Rules", "ConfigurationFile", "Planner", "Judge", "API"]),
        .target(name: "Systemd", dependencies: ["Rules", .product(name: "Logging", package: "swift-log")]),

        .target(
            name: "Keeper",
            dependencies: [
                "Rules", "ConfigurationFile", "Planner", "Netfilter", "Netlink", "Reconciler", "API", "SystemCalls", "Systemd",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),

        .executableTarget(
            name: "fwmarkd",
            dependencies: [
                "CStart", "Rules", "ConfigurationFile", "Planner", "Netfilter", "Reconciler", "API", "Explanations", "Netlink",
                "SystemCalls", "Systemd",
                "Keeper",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + indirect,
            resources: [.embedInCode("Resources/page.html"), .embedInCode("Resources/openapi.json")]
        ),
        .executableTarget(
            name: "fwmarkctl",
            dependencies: [
                "SystemCalls", "Rules", "ConfigurationFile", "Planner", "Netfilter", "Reconciler", "API", "Importer", "XTables",
                "Doctor", "Explanations", "Judge", "Netlink",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),

        // What `make bench` runs: the driver, which starts everything else in namespaces of its own, and the steps of a reconciliation
        // within one process, as the daemon goes through them. Parts of no product.
        .target(name: "CBench", path: "Benchmarks/CBench"),
        .executableTarget(name: "bench", dependencies: ["CBench"], path: "Benchmarks/bench"),
        .executableTarget(
            name: "bench-steps",
            dependencies: ["SystemCalls", "Rules", "ConfigurationFile", "Planner", "Netfilter", "Reconciler", "CBench"],
            path: "Benchmarks/bench-steps"),

        .testTarget(name: "SystemCallsTests", dependencies: ["SystemCalls"]),
        .testTarget(name: "RulesTests", dependencies: ["Rules"]),
        .testTarget(
            name: "ConfigurationFileTests",
            dependencies: ["RandomNumbers", "RandomConfigurations", "ReferenceReader", "ConfigurationFile", "Rules"],
            exclude: ["bad-files.txt", "schema.py"]),
        .target(
            name: "ReferenceReader", dependencies: ["RandomConfigurations", "ConfigurationFile", "Rules", "CYAML"],
            path: "Tests/ReferenceReader"),
        .target(name: "RandomNumbers", path: "Tests/RandomNumbers"),
        .target(
            name: "RandomConfigurations", dependencies: ["RandomNumbers", "ConfigurationFile", "Rules"],
            path: "Tests/RandomConfigurations"),
        .testTarget(
            name: "PlannerTests", dependencies: ["RandomConfigurations", "Planner", "Judge", "ConfigurationFile", "Rules"]),
        .systemLibrary(name: "CNamespaces", path: "Tests/CNamespaces"),
        .target(name: "NamespaceSupport", dependencies: ["CNamespaces", "Rules"], path: "Tests/NamespaceSupport"),
        .testTarget(name: "NetfilterTests", dependencies: ["Netfilter", "Rules", "NamespaceSupport"]),
        .target(name: "FakeKernel", dependencies: ["Reconciler", "Netfilter", "Rules"], path: "Tests/FakeKernel"),
        .testTarget(name: "ReconcilerTests", dependencies: ["FakeKernel", "RandomNumbers", "Reconciler", "Netfilter", "Rules"]),
        .testTarget(
            name: "KeeperTests",
            dependencies: [
                "FakeKernel", "NamespaceSupport", "Keeper", "Reconciler", "Netfilter", "Planner", "ConfigurationFile", "Rules",
                "API", "Systemd",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "FwmarkctlTests",
            dependencies: [
                "fwmarkctl", "fwmarkd", "API", "Rules", "NamespaceSupport", "DaemonSupport",
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .testTarget(
            name: "ImporterTests",
            dependencies: [
                "Importer", "Planner", "ConfigurationFile", "RandomConfigurations", "Rules",
            ]),
        .target(name: "PacketSupport", dependencies: ["NamespaceSupport", "Judge", "Rules"], path: "Tests/PacketSupport"),
        .testTarget(
            name: "JudgeTests",
            dependencies: [
                "Judge", "Explanations", "API", "Importer", "Planner", "ConfigurationFile", "Reconciler", "Netfilter", "Rules",
                "NamespaceSupport", "PacketSupport", "RandomNumbers", "RandomConfigurations",
            ]),
        .testTarget(name: "XTablesTests", dependencies: ["XTables", "Netfilter", "Rules", "NamespaceSupport"]),
        .testTarget(
            name: "NetlinkTests", dependencies: ["Netlink", "Rules", "SystemCalls", "NamespaceSupport"]),
        .testTarget(
            name: "DoctorTests",
            dependencies: ["Doctor", "Netlink", "ConfigurationFile", "Rules", "SystemCalls", "NamespaceSupport"]),
        .testTarget(name: "APITests", dependencies: ["API", "Rules", "NamespaceSupport"]),
        .testTarget(name: "SystemdTests", dependencies: ["Systemd", .product(name: "Logging", package: "swift-log")]),
        .target(name: "DaemonSupport", dependencies: ["API", "NamespaceSupport"], path: "Tests/DaemonSupport"),
        .testTarget(
            name: "DaemonKernelTests", dependencies: ["DaemonSupport", "API", "NamespaceSupport", "Rules", "fwmarkd"]),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                "DaemonSupport",
                "Reconciler", "Netfilter", "Planner", "Judge", "ConfigurationFile", "Rules", "API", "NamespaceSupport",
                "PacketSupport",
                "RandomNumbers", "RandomConfigurations", "XTables",
            ],
            exclude: ["Golden"]),
    ]
)

// One loop, so that no target is built under other rules than the rest.
for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]
}
