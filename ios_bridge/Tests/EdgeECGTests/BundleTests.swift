import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore

@Suite struct BundleTests {
  /// Of each bad bundle, what differs from the good one's files; `tests/golden.py` says how it is written.
  static let badBundles = (try? JSONValue(parsing: Golden.bytes(Golden.folder + "/bad.json")))?.members ?? []

  @Test func aGoodBundleIsOpened() throws {
    let bundle = try Golden.bundle()
    #expect(bundle.labels == ECGLabels(baseline: "fasting", target: "glucose"))
    #expect(bundle.contract.beatLength == 384)
    #expect(bundle.intendedUse.contains("Not a medical device"))
    #expect(bundle.references.count == bundle.references.baselineCount + bundle.references.targetCount)
  }

  @Test func aURLMayBeRelativeToAnother() throws {
    let bundle = URL(fileURLWithPath: "bundle", relativeTo: URL(fileURLWithPath: Golden.folder, isDirectory: true))
    #expect(try ECGBundle(contentsOf: bundle).source == Golden.bundlePath)
    let recording = URL(fileURLWithPath: "plain.csv", relativeTo: bundle.deletingLastPathComponent())
    #expect(try ECGRecording(contentsOf: recording).source == Golden.folder + "/plain.csv")
  }

  @Test func thereAreBadBundles() { #expect(Self.badBundles.count > 30) }

  /// Each is refused in one sentence that names it.
  @Test(arguments: badBundles.map(\.key))
  func aBadBundleIsRefused(name: String) throws {
    try withCopy(spoiltAs: name) { path in
      let error = try #require(throws: EdgeECGError.self) { _ = try ECGBundle(contentsOf: url(path)) }
      #expect(error.message.hasPrefix(path))
      #expect(!error.message.contains("\n"))
      switch error {
      case .bundle, .alteredBundle, .bundleVersion: break
      case .recording, .contract: Issue.record(error)
      }
    }
  }

  @Test func aLinkIsNotFollowed() throws {
    try withCopy(spoiltAs: nil) { path in
      let file = path + "/references.safetensors"
      try FileManager.default.moveItem(atPath: file, toPath: path + "/elsewhere")
      try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "elsewhere")
      let error = try #require(throws: EdgeECGError.self) { try ECGBundle(contentsOf: url(path)) }
      #expect(error.message.contains("goes through a link"))
    }
  }

  @Test func whatIsNoBundleIsRefused() throws {
    #expect(throws: EdgeECGError.self) { try ECGBundle(contentsOf: url("/nowhere")) }
    #expect(throws: EdgeECGError.self) { try ECGBundle(contentsOf: url("/dev/null")) }
    #expect(throws: EdgeECGError.self) { try ECGBundle(contentsOf: url(Golden.folder)) }
    let elsewhere = try #require(URL(string: "https://example.org\(Golden.bundlePath)"))
    #expect(throws: EdgeECGError.self) { try ECGBundle(contentsOf: elsewhere) }
  }

  @Test func referencesAreWrittenAndReadBack() throws {
    let bank = try Golden.bundle().references
    let readBack = try ECGReferences(safetensors: bank.safetensors)
    #expect(readBack == bank)
  }

  @Test func otherReferencesMayBeMoreOrFewer() throws {
    let bundle = try Golden.bundle()
    let (d, embeddings) = (bundle.references.embeddingLength, bundle.references.embeddings)
    let first = try #require(bundle.references.isTarget.firstIndex(of: true))
    let pair = try ECGReferences(
      embeddings: Array(embeddings[..<d] + embeddings[first * d..<(first + 1) * d]), embeddingLength: d,
      isTarget: [bundle.references.isTarget[0], true])
    let replayed = try ECGWatch.replay(Golden.recording("german"), through: bundle.replacingReferences(with: pair))
    #expect(replayed.decision.beats > 0)
  }

  /// A copy of the good bundle, with the differences of that bad one.
  private func withCopy(spoiltAs name: String?, _ test: (String) throws -> Void) throws {
    let files = FileManager.default
    let path = NSTemporaryDirectory() + "EdgeECG-\(UUID().uuidString)"
    try files.copyItem(atPath: Golden.bundlePath, toPath: path)
    defer { try? files.removeItem(atPath: path) }
    for file in Self.badBundles.first(where: { $0.key == name })?.value.members ?? [] {
      var content = Golden.bytes("\(path)/\(file.key)")
      try files.removeItem(atPath: "\(path)/\(file.key)")
      guard let spans = file.value.items else { continue }
      for span in spans.reversed() {
        let parts = try #require(span.items)
        let (start, end) = (try #require(parts[0].integer), try #require(parts[1].integer))
        content.replaceSubrange(start..<end, with: try #require(Data(base64Encoded: parts[2].text ?? "")))
      }
      try Data(content).write(to: URL(fileURLWithPath: "\(path)/\(file.key)"))
    }
    try test(path)
  }
}
