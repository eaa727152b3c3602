/// The files of a bundle, by name.
package protocol BundleSource {
  /// At most `most` + 1 bytes of the plain file `name`.
  func read(_ name: String, most: Int) throws(EdgeECGError) -> [UInt8]
}

/// The files in a packed bundle: a safetensors file in which each of them is a tensor of bytes.
package struct PackedFiles: BundleSource {
  let name: String
  let files: [String: [UInt8]]

  /// - Throws: ``EdgeECGError/alteredBundle(_:)`` unless writing these files and their seal again gives the same bytes.
  package init(_ content: [UInt8], name: String) throws(EdgeECGError) {
    self.name = name
    var files: [String: [UInt8]] = [:]
    let seal: String?
    do throws(EdgeECGError) {
      let container = try Safetensors(content)
      seal = container.metadata[VerifiedFiles.sealFile]
      for name in container.entries.keys { files[name] = try container.unsignedBytes(name).values }
    } catch {
      throw Self.altered(name)
    }
    // Python sorts by code point, which in UTF-8 is the order of the bytes.
    let sorted = files.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    let again = Safetensors.write(
      bytes: sorted.map { ($0.key, $0.value) }, metadata: seal.map { (VerifiedFiles.sealFile, $0) })
    guard again == content else { throw Self.altered(name) }
    if let seal { files[VerifiedFiles.sealFile] = VerifiedFiles.sealContent(seal) }
    self.files = files
  }

  package func read(_ file: String, most: Int) throws(EdgeECGError) -> [UInt8] {
    guard let content = files[file] else {
      throw EdgeECGError.alteredBundle("\(name): \(file) is missing: it was altered")
    }
    return content
  }

  private static func altered(_ name: String) -> EdgeECGError {
    .alteredBundle("\(name): is no packed bundle as `edge-ecg pack` writes it: it was altered or cut short")
  }
}

/// The manifest of a bundle and the files that a device needs, after every hash was found right.
package struct VerifiedFiles: Sendable {
  static let sealFile = "manifest.sha256"
  static let manifestFile = "manifest.json"
  private static let mostManifestBytes = 4_000_000
  private static let sealBytes = 81
  private static let mostFiles = 1000

  /// The manifest, once its hash was found right.
  package let manifest: JSONValue
  /// The content of the files that were asked for; all others are verified as well.
  package let kept: [String: [UInt8]]

  package init(_ source: some BundleSource, _ path: String, keeping: [String]) throws(EdgeECGError) {
    manifest = try Self.verifiedManifest(source, path)
    guard let listed = manifest["files"]?.members, listed.count <= Self.mostFiles else {
      throw EdgeECGError.bundle("\(path): the manifest lists no files, or more than \(Self.mostFiles)")
    }
    for name in keeping where !listed.contains(where: { $0.key == name }) {
      throw EdgeECGError.bundle("\(path): the manifest lists no \(name)")
    }
    var files: [String: [UInt8]] = [:]
    for member in listed {
      let (name, facts) = (member.key, member.value)
      guard Self.isPlain(name) else {
        throw EdgeECGError.bundle("\(path): a listed name is no plain file name inside the bundle")
      }
      guard let size = facts["bytes"]?.integer, (0...Manifest.mostFileBytes).contains(size) else {
        throw EdgeECGError.bundle("\(path): \(name) declares no size from 0 to \(Manifest.mostFileBytes) bytes")
      }
      let content = try source.read(name, most: size)
      guard content.count == size, SHA256.hexDigest(of: content) == facts["sha256"]?.text else {
        throw EdgeECGError.alteredBundle(
          "\(path): \(name) does not match its size and SHA-256 in the manifest: it was altered")
      }
      if keeping.contains(name) { files[name] = content }
    }
    kept = files
  }

  /// The manifest of this version, if `manifest.sha256` beside it is its hash.
  private static func verifiedManifest(
    _ source: some BundleSource, _ path: String
  ) throws(EdgeECGError) -> JSONValue {
    let content = try source.read(manifestFile, most: mostManifestBytes)
    let manifest: JSONValue?
    do throws(JSONError) { manifest = try JSONValue(parsing: content) } catch { manifest = nil }
    guard content.count <= mostManifestBytes, let manifest, manifest.members != nil else {
      throw EdgeECGError.alteredBundle("\(path): \(manifestFile) is not JSON as a bundle has it")
    }
    let schema = manifest["schema"]?.integer
    let seal: [UInt8]
    do throws(EdgeECGError) {
      seal = try source.read(sealFile, most: sealBytes)
    } catch {
      guard let schema, (0..<Manifest.schemaVersion).contains(schema) else { throw error }  // they had no such file
      throw EdgeECGError.bundleVersion(
        "\(path): schema is \(schema), this package reads \(Manifest.schemaVersion); make the bundle again: "
          + "python -m export.bundle RUN --out BUNDLE, then edge-ecg pack")
    }
    guard seal == sealContent(SHA256.hexDigest(of: content)) else {
      throw EdgeECGError.alteredBundle("\(path): \(manifestFile) does not match \(sealFile): it was altered")
    }
    guard schema == Manifest.schemaVersion else {
      let schema = schema.map { String($0) } ?? "none"
      throw EdgeECGError.bundleVersion("\(path): schema is \(schema), this package reads \(Manifest.schemaVersion)")
    }
    return manifest
  }

  /// As `sha256sum` writes it.
  static func sealContent(_ hexDigest: String) -> [UInt8] { Array("\(hexDigest)  \(manifestFile)\n".utf8) }

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
