/// What a device reads of a manifest: the entries and limits of `edge_ecg/bundles/manifest.py`, none missing, none unknown.
///
/// Of a whole bundle's figures only the names are known here: nothing on a device reads them.
package struct Manifest: Sendable {
  /// The schema that this package reads.
  package static let schemaVersion = 3
  package static let mostFileBytes = 64_000_000
  private static let mostFiles = 1000
  private static let mostWhole = 1_000_000_000  // fits in 32 bits
  static let packedFrom = "packed_from"
  private static let figures = ["training", "metrics", "parity", "tools", "not_made", "references", "range"]

  /// What a file of the bundle must be.
  struct File: Sendable {
    let name: String
    let bytes: Int
    let sha256: String
  }

  /// All of it, for whoever wants to know more.
  package let json: JSONValue
  let labels: ECGLabels
  let intendedUse: String
  let contract: Contract
  let levels: Levels?
  let guards: GuardLimits?
  let isEnrolled: Bool
  let files: [File]

  /// - Throws: ``EdgeECGError/contract(_:)`` for an entry that is missing, unknown, mistyped or out of its range.
  package init(_ json: JSONValue) throws(EdgeECGError) {
    self.json = json
    var entries = try ContractEntries(json, name: "the manifest")
    _ = try entries.integer("schema", in: Self.schemaVersion...Self.schemaVersion)
    intendedUse = try entries.text("intended_use")
    labels = try Self.labels(entries.value("labels"))
    contract = try Contract(entries.value("contract"))
    levels = try Levels(entries.value("levels"))
    guards = try GuardLimits(entries.value("guards"))
    try Self.requireModel(entries.value("model"))
    isEnrolled = try Self.isEnrolled(entries.optional("enrollment"))
    files = try Self.files(entries.value("files"))
    if let from = entries.optional(Self.packedFrom) {
      guard from.text.map(Self.isSHA256) == true else {
        throw EdgeECGError.contract("the manifest's \(Self.packedFrom) is no SHA-256")
      }
    } else {
      for name in Self.figures { _ = entries.optional(name) }
    }
    try entries.requireNoOthers()
  }

  private static func labels(_ json: JSONValue) throws(EdgeECGError) -> ECGLabels {
    guard let names = json.items, names.count == 2, let baseline = names[0].text, let target = names[1].text,
      Array(baseline.utf8) != Array(target.utf8)
    else { throw EdgeECGError.contract("labels are not two different names") }
    return ECGLabels(baseline: baseline, target: target)
  }

  private static func requireModel(_ json: JSONValue) throws(EdgeECGError) {
    var model = try ContractEntries(json, name: "model")
    _ = try model.text("architecture")
    _ = try model.integer("parameters", in: 0...mostWhole)
    try model.requireNoOthers()
  }

  private static func isEnrolled(_ json: JSONValue?) throws(EdgeECGError) -> Bool {
    guard let json, json != .null else { return false }
    var enrollment = try ContractEntries(json, name: "enrollment")
    _ = try enrollment.integer("recordings", in: 0...mostWhole)
    _ = try enrollment.number("distance", in: -1e300...1e300)
    guard let dates = try enrollment.value("dates").items, dates.allSatisfy({ $0.text != nil }) else {
      throw EdgeECGError.contract("enrollment.dates is no list of dates")
    }
    return true
  }

  private static func files(_ json: JSONValue) throws(EdgeECGError) -> [File] {
    guard let members = json.members, members.count <= mostFiles else {
      throw EdgeECGError.contract("the manifest lists no files, or more than \(mostFiles)")
    }
    return try members.map { member throws(EdgeECGError) -> File in
      var facts = try ContractEntries(member.value, name: shown(member.key))
      let bytes = try facts.integer("bytes", in: 0...mostFileBytes)
      let sha256 = try facts.text("sha256")
      guard isSHA256(sha256) else { throw EdgeECGError.contract("\(shown(member.key)) declares no SHA-256") }
      try facts.requireNoOthers()
      return File(name: member.key, bytes: bytes, sha256: sha256)
    }
  }

  private static func isSHA256(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
