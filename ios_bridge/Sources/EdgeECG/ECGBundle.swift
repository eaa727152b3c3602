/// A verified bundle, ready to judge beats: everything a device needs of one person's comparator.
///
/// A folder with `manifest.json`, which holds the contract and the size and SHA-256 of every other file. Nothing in
/// it can run code: JSON and safetensors here, Core ML and ONNX for others. `Bundle` in Python; Foundation has a
/// `Bundle` already.
public struct ECGBundle: Sendable {
  /// The manifest's schema that this package reads.
  public static let schemaVersion = 1

  /// The folder as the user gave it.
  public let path: String
  /// All that is known of the bundle: training facts, metrics with intervals, parity figures, tool versions.
  public let manifest: JSONValue
  /// The numbers that the bundle was made with.
  public let contract: Contract
  /// The two states.
  public let labels: Labels
  /// What the bundle is for, and what it is not.
  public let intendedUse: String
  /// Beat to embedding.
  public var encoder: any ECGEncoder
  /// Embedding and references to logits.
  public var comparator: any ECGComparator
  /// What beats are compared with.
  public var references: ReferenceBank

  /// Opens and verifies the bundle in the folder `path`.
  /// - Throws: ``EdgeECGError/bundle(_:)`` on anything missing, altered or unsafe.
  public init(path: String) throws {
    let wanted = [PortableForm.layersFile, PortableForm.weightsFile, Self.referencesFile]
    let (manifest, files) = try Self.verifiedFiles(path, keeping: wanted)
    do {
      guard let names = manifest["labels"]?.items, names.count == 2, let baseline = names[0].text,
        let target = names[1].text, baseline != target
      else { throw EdgeECGError.contract("labels are not two different names") }
      guard let contractEntry = manifest["contract"] else {
        throw EdgeECGError.contract("the manifest has no entry 'contract'")
      }
      let contract = try Contract(contractEntry)
      let references = try ReferenceBank(safetensors: files[Self.referencesFile] ?? [])
      let form = try PortableForm(
        layers: files[PortableForm.layersFile] ?? [], weights: files[PortableForm.weightsFile] ?? [])
      let encoder = try PortableEncoder(form.encoder, beatLength: contract.beatLength)
      guard references.embeddingLength == encoder.embeddingLength else {
        throw EdgeECGError.contract(
          "references have \(references.embeddingLength) numbers each, the encoder gives \(encoder.embeddingLength)")
      }
      comparator = try PortableComparator(
        form.comparator, embeddingLength: encoder.embeddingLength, references: references.count)
      self.path = path
      self.manifest = manifest
      self.contract = contract
      labels = Labels(baseline: baseline, target: target)
      intendedUse = manifest["intended_use"]?.text ?? ""
      self.encoder = encoder
      self.references = references
    } catch let error as EdgeECGError {
      throw EdgeECGError.bundle("\(path): \(error)")
    }
  }

  /// The same bundle, judging by other references.
  public func withReferences(_ references: ReferenceBank) -> ECGBundle {
    var bundle = self
    bundle.references = references
    return bundle
  }

  /// The manifest's name for a file's content: the SHA-256 that it was verified by.
  public func hash(ofFile name: String) -> String? {
    manifest["files"]?[name]?["sha256"]?.text
  }
}

extension ECGBundle {
  static let manifestFile = "manifest.json"
  static let referencesFile = "references.safetensors"
  private static let mostManifestBytes = 4_000_000
  private static let mostFileBytes = 64_000_000
  private static let mostFiles = 1000

  /// The manifest, and the verified content of the files in `keeping`; all others are verified as well.
  private static func verifiedFiles(
    _ path: String, keeping: [String]
  ) throws -> (manifest: JSONValue, files: [String: [UInt8]]) {
    let source = BundleFiles(folder: path)
    let manifest = try verifiedManifest(try source.read(manifestFile, most: mostManifestBytes), path)
    guard manifest["schema"]?.integer == schemaVersion else {
      throw EdgeECGError.bundle("\(path): the schema is another one, this package reads \(schemaVersion)")
    }
    guard let listed = manifest["files"]?.members, listed.count <= mostFiles else {
      throw EdgeECGError.bundle("\(path): the manifest lists no files, or more than \(mostFiles)")
    }
    for name in keeping where !listed.contains(where: { $0.key == name }) {
      throw EdgeECGError.bundle("\(path): the manifest lists no \(name)")
    }
    var files: [String: [UInt8]] = [:]
    for (name, facts) in listed.map({ ($0.key, $0.value) }) {
      guard isPlain(name) else {
        throw EdgeECGError.bundle("\(path): a listed name is no plain file name inside the bundle")
      }
      guard let size = facts["bytes"]?.integer, (0...mostFileBytes).contains(size) else {
        throw EdgeECGError.bundle("\(path): \(name) declares no size from 0 to \(mostFileBytes) bytes")
      }
      let content = try source.read(name, most: size)
      guard content.count == size, SHA256.hexDigest(of: content) == facts["sha256"]?.text else {
        throw EdgeECGError.bundle(
          "\(path): \(name) does not match its size and SHA-256 in the manifest: it was altered")
      }
      if keeping.contains(name) { files[name] = content }
    }
    return (manifest, files)
  }

  /// The manifest, if it is written as Python writes it and its seal holds: a hash over everything else in it.
  private static func verifiedManifest(_ content: [UInt8], _ path: String) throws -> JSONValue {
    guard content.count <= mostManifestBytes, let manifest = try? JSONValue(parsing: content),
      let members = manifest.members
    else { throw EdgeECGError.bundle("\(path): \(manifestFile) is not JSON as a bundle has it") }
    let sealed = JSONValue.object(members.filter { $0.key != "sha256" })
    guard manifest.canonicalText() == content, manifest.hasCanonicalNumbers,
      SHA256.hexDigest(of: sealed.canonicalText()) == manifest["sha256"]?.text
    else { throw EdgeECGError.bundle("\(path): \(manifestFile) does not match its own SHA-256: it was altered") }
    return manifest
  }

  /// Parts of letters, digits, `_`, `.` and `-`, one to eight of them, none of which begins with `.` or `-`.
  private static func isPlain(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return (1...8).contains(parts.count)
      && parts.allSatisfy { part in
        guard let first = part.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-") else { return false }
        return part.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
          default: false
          }
        }
      }
  }
}
