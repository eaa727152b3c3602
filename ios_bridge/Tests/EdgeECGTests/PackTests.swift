import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// One file for a watch: opened only as it was written, and judging as the files in it do.
@Suite struct PackTests {
  static let names = [
    "manifest.json", PortableForm.layersFile, PortableForm.weightsFile, "references.safetensors",
  ]

  /// The golden bundle as one file, with another manifest or seal.
  static func packed(_ manifest: [UInt8] = Golden.bytes("\(Golden.bundlePath)/\(names[0])"), seal: String? = nil)
    -> [UInt8]
  {
    let files = names.dropFirst().map { ($0, Golden.bytes("\(Golden.bundlePath)/\($0)")) }
    return Safetensors.write(
      bytes: [(names[0], manifest)] + files,
      metadata: (VerifiedFiles.sealFile, seal ?? SHA256.hexDigest(of: manifest)))
  }

  @Test func itJudgesAsTheFolderDoes() throws {
    let (folder, pack) = (try Golden.bundle(), try ECGBundle(data: Self.packed()))
    #expect(pack.manifest == folder.manifest && pack.references == folder.references && pack.folder == nil)
    for name in Golden.recordings {
      let recording = try Golden.recording(name)
      let (a, b) = (try ECGWatch.replay(recording, through: folder), try ECGWatch.replay(recording, through: pack))
      #expect(a.decision == b.decision && a.judged == b.judged)
    }
  }

  @Test func itIsAlsoOpenedFromAFile() throws {
    let url = URL(fileURLWithPath: NSTemporaryDirectory() + "EdgeECG-\(UUID().uuidString).ecgbundle")
    try Data(Self.packed()).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    #expect(try ECGBundle(contentsOf: url).labels == Golden.bundle().labels)
  }

  @Test func anyAlteredByteIsToldAsSuch() throws {
    let good = Self.packed()
    var random = SplitMix64(state: 18)
    let places = Array(0..<64) + (0..<400).map { _ in Int.random(in: 0..<good.count, using: &random) }
    for place in places {
      var content = good
      content[place] ^= UInt8.random(in: 1...255, using: &random)
      let error = try #require(throws: EdgeECGError.self) { try ECGBundle(data: content) }
      guard case .alteredBundle = error else {
        Issue.record("byte \(place): \(error)")
        continue
      }
    }
    for length in [0, 7, 8, 100, good.count - 1] {
      #expect(throws: EdgeECGError.self) { try ECGBundle(data: good.prefix(length)) }
    }
  }

  @Test(arguments: ["4", "2"])
  func anotherSchemaIsAnotherError(schema: String) throws {
    let text = String(decoding: Golden.bytes("\(Golden.bundlePath)/manifest.json"), as: UTF8.self)
    let manifest = Array(text.replacingOccurrences(of: "\"schema\": 3", with: "\"schema\": \(schema)").utf8)
    let error = try #require(throws: EdgeECGError.self) { try ECGBundle(data: Self.packed(manifest)) }
    #expect(error == .bundleVersion("packed bundle: schema is \(schema), this package reads 3"))
    #expect(error.recoverySuggestion != nil && error.localizedDescription.hasSuffix(error.message))
  }

  /// A bundle of before has its hash inside its manifest, and no seal: the error says how to make a new one.
  @Test func aBundleOfBeforeIsMadeAgain() throws {
    let content = Safetensors.write(bytes: [("manifest.json", Array(#"{"schema": 2, "sha256": ""}"#.utf8))])
    let error = try #require(throws: EdgeECGError.self) { try ECGBundle(data: content) }
    #expect(
      error.message.hasPrefix("packed bundle: schema is 2, this package reads 3; make the bundle again: python -m"))
  }

  @Test func theSealIsOfTheManifestsBytes() throws {
    for seal in ["", "x", String(repeating: "0", count: 64), "\"}"] {
      let error = try #require(throws: EdgeECGError.self) { try ECGBundle(data: Self.packed(seal: seal)) }
      if case .alteredBundle = error { continue }
      Issue.record(error)
    }
  }
}
