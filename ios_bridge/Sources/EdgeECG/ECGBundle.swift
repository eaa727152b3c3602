import Foundation

/// A verified bundle, ready to judge beats: everything a device needs of one person's comparator.
///
/// A folder with `manifest.json`, which holds the contract and the size and SHA-256 of every other file, or the few
/// files that a device needs in one, as `edge-ecg pack` writes it. Nothing in it can run code: JSON and safetensors
/// here, Core ML and ONNX for others. `Bundle` in Python; Foundation has a `Bundle` already.
public struct ECGBundle: Sendable {
  /// The manifest's schema that this package reads.
  public static let schemaVersion = 2

  /// Where it came from, as the user gave it.
  public let source: String
  /// The folder that it was opened from; nothing for a packed bundle.
  public let folder: URL?
  /// All that is known of the bundle. Of a whole one: training facts, metrics with intervals, parity, tool versions.
  public let manifest: JSONValue
  /// The numbers that the bundle was made with.
  public let contract: Contract
  /// The two states.
  public var labels: Labels { rule.labels }
  /// What turns votes into decisions.
  public let rule: DecisionRule
  /// What the bundle is for, and what it is not.
  public let intendedUse: String
  /// Beat to embedding.
  public var encoder: any ECGEncoder
  /// Embedding and references to logits.
  public var comparator: any ECGComparator
  /// What beats are compared with.
  public var references: ReferenceBank

  /// Opens and verifies a bundle: a folder, or a file that `edge-ecg pack` wrote.
  /// - Throws: ``EdgeECGError/bundle(_:)`` on anything missing or unsafe, ``EdgeECGError/alteredBundle(_:)`` on what is
  ///   not as it was written, ``EdgeECGError/bundleVersion(_:)`` on another schema.
  public init(contentsOf url: URL) throws(EdgeECGError) {
    guard let path = url.filePath else { throw EdgeECGError.bundle("\(url): is no URL of a file or folder") }
    if BundleFiles.isFolder(path) {
      try self.init(BundleFiles(folder: path), source: path, folder: url)
    } else {
      let content = try BundleFiles.contents(of: path, most: Self.mostFileBytes)
      try self.init(PackedFiles(content, name: path), source: path, folder: nil)
    }
  }

  /// Opens and verifies the content of a file that `edge-ecg pack` wrote.
  /// - Throws: as ``init(contentsOf:)`` does.
  public init(data: some DataProtocol) throws(EdgeECGError) {
    let name = "packed bundle"
    try self.init(PackedFiles([UInt8](data), name: name), source: name, folder: nil)
  }

  private init(_ files: some BundleSource, source: String, folder: URL?) throws(EdgeECGError) {
    let wanted = [PortableForm.layersFile, PortableForm.weightsFile, Self.referencesFile]
    let (manifest, contents) = try Self.verifiedFiles(files, source, keeping: wanted)
    do throws(EdgeECGError) {
      let parts = try BundleParts(
        manifest: manifest, layers: contents[PortableForm.layersFile] ?? [],
        weights: contents[PortableForm.weightsFile] ?? [], references: contents[Self.referencesFile] ?? [])
      self.source = source
      self.folder = folder
      self.manifest = manifest
      contract = parts.contract
      rule = parts.rule
      intendedUse = manifest["intended_use"]?.text ?? ""
      encoder = parts.encoder
      comparator = parts.comparator
      references = parts.references
    } catch {
      throw EdgeECGError.bundle("\(source): \(error)")
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
    _ source: some BundleSource, _ path: String, keeping: [String]
  ) throws(EdgeECGError) -> (manifest: JSONValue, files: [String: [UInt8]]) {
    let manifest = try verifiedManifest(try source.read(manifestFile, most: mostManifestBytes), path)
    guard manifest["schema"]?.integer == schemaVersion else {
      let schema = manifest["schema"]?.integer.map { String($0) } ?? "none"
      throw EdgeECGError.bundleVersion("\(path): schema is \(schema), this package reads \(schemaVersion)")
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
        throw EdgeECGError.alteredBundle(
          "\(path): \(name) does not match its size and SHA-256 in the manifest: it was altered")
      }
      if keeping.contains(name) { files[name] = content }
    }
    return (manifest, files)
  }

  /// The manifest, if it is written as Python writes it and its seal holds: a hash over everything else in it.
  private static func verifiedManifest(_ content: [UInt8], _ path: String) throws(EdgeECGError) -> JSONValue {
    guard content.count <= mostManifestBytes, let manifest = try? JSONValue(parsing: content),
      let members = manifest.members
    else { throw EdgeECGError.alteredBundle("\(path): \(manifestFile) is not JSON as a bundle has it") }
    let sealed = JSONValue.object(members.filter { $0.key != "sha256" })
    guard manifest.canonicalText() == content, manifest.hasCanonicalNumbers,
      SHA256.hexDigest(of: sealed.canonicalText()) == manifest["sha256"]?.text
    else {
      throw EdgeECGError.alteredBundle("\(path): \(manifestFile) does not match its own SHA-256: it was altered")
    }
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
