import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// One file for a watch: opened only as it was written, and judging as the files in it do.
@Suite struct PackTests {
  static let names = [
    "manifest.json", PortableForm.layersFile, PortableForm.weightsFile, "references.safetensors",
  ]

  static func packed(_ manifest: [UInt8]? = nil) -> [UInt8] {
    let files = names.map { ($0, Golden.bytes("\(Golden.bundlePath)/\($0)")) }
    return Safetensors.write(bytes: files.map { ($0.0, $0.0 == names[0] ? manifest ?? $0.1 : $0.1) })
  }

  @Test func itJudgesAsTheFolderDoes() throws {
    let (folder, pack) = (try Golden.bundle(), try ECGBundle(data: Self.packed()))
    #expect(pack.manifest == folder.manifest && pack.references == folder.references && pack.folder == nil)
    for name in Golden.recordings {
      let recording = try Golden.recording(name)
      let (a, b) = (try Watch.replay(recording, through: folder), try Watch.replay(recording, through: pack))
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

  @Test func aNewerSchemaIsAnotherError() throws {
    let manifest = try JSONValue(parsing: Golden.bytes("\(Golden.bundlePath)/manifest.json"))
    var members = try #require(manifest.members).filter { $0.key != "sha256" && $0.key != "schema" }
    members.append(JSONValue.Member(key: "schema", value: .number("3")))
    let seal = SHA256.hexDigest(of: JSONValue.object(members).canonicalText())
    members.append(JSONValue.Member(key: "sha256", value: .string(seal)))
    let error = try #require(throws: EdgeECGError.self) {
      try ECGBundle(data: Self.packed(JSONValue.object(members).canonicalText()))
    }
    #expect(error == .bundleVersion("packed bundle: schema is 3, this package reads 2"))
    #expect(error.recoverySuggestion != nil && error.localizedDescription == error.message)
  }
}
