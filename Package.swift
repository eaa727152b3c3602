// swift-tools-version: 6.0

import PackageDescription

// Only Apple's platforms read a privacy manifest and a string catalog; elsewhere a resource would bring a folder with it that
// nobody reads.
let forApple = ["PrivacyInfo.xcprivacy", "Localizable.xcstrings"]
#if canImport(Darwin)
  let resources = forApple.map { Resource.process($0) }
  let notForThisHost: [String] = []
#else
  let resources: [Resource] = []
  let notForThisHost = forApple
#endif

let package = Package(
  name: "EdgeECG",
  defaultLocalization: "en",
  platforms: [.iOS(.v16), .watchOS(.v9), .macOS(.v13)],
  products: [
    .library(name: "EdgeECG", targets: ["EdgeECG"]),
    .library(name: "EdgeECGApple", targets: ["EdgeECGApple"]),
    .library(name: "EdgeECGUI", targets: ["EdgeECGUI"]),
    .executable(name: "edge-ecg-swift", targets: ["edge-ecg-swift"]),
  ],
  targets: [
    .target(name: "EdgeECGCore", path: "ios_bridge/Sources/EdgeECGCore"),
    .target(
      name: "EdgeECG", dependencies: ["EdgeECGCore"], path: "ios_bridge/Sources/EdgeECG", exclude: notForThisHost,
      resources: resources),
    .target(name: "EdgeECGApple", dependencies: ["EdgeECG"], path: "ios_bridge/Sources/EdgeECGApple"),
    .target(name: "EdgeECGUI", dependencies: ["EdgeECG"], path: "ios_bridge/Sources/EdgeECGUI"),
    .executableTarget(name: "edge-ecg-swift", dependencies: ["EdgeECG"], path: "ios_bridge/Sources/edge-ecg-swift"),
    .testTarget(
      name: "EdgeECGTests", dependencies: ["EdgeECGCore", "EdgeECG", "EdgeECGApple", "EdgeECGUI"],
      path: "ios_bridge/Tests/EdgeECGTests",
      resources: [.copy("Golden")]),
  ],
  swiftLanguageModes: [.v6]
)
