// swift-tools-version: 6.0

import PackageDescription

let package = Package(
  name: "EdgeECG",
  platforms: [.iOS(.v16), .watchOS(.v9), .macOS(.v13)],
  products: [
    .library(name: "EdgeECG", targets: ["EdgeECG"]),
    .library(name: "EdgeECGApple", targets: ["EdgeECGApple"]),
    .executable(name: "edge-ecg-swift", targets: ["edge-ecg-swift"]),
  ],
  targets: [
    .target(name: "EdgeECG"),
    .target(name: "EdgeECGApple", dependencies: ["EdgeECG"]),
    .executableTarget(name: "edge-ecg-swift", dependencies: ["EdgeECG"]),
    .testTarget(name: "EdgeECGTests", dependencies: ["EdgeECG", "EdgeECGApple"], resources: [.copy("Golden")]),
  ],
  swiftLanguageModes: [.v6]
)
