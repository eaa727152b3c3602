/// The files of a bundle, by name.
package protocol BundleSource {
  /// At most `most` + 1 bytes of the plain file `name`.
  func read(_ name: String, most: Int) throws(EdgeECGError) -> [UInt8]
}

/// The files in a packed bundle: a safetensors file in which each of them is a tensor of bytes.
package struct PackedFiles: BundleSource {
  let name: String
  private let files: [String: [UInt8]]

  /// - Throws: ``EdgeECGError/alteredBundle(_:)`` unless writing these files again gives the same bytes.
  package init(_ content: [UInt8], name: String) throws(EdgeECGError) {
    self.name = name
    var files: [String: [UInt8]] = [:]
    do throws(EdgeECGError) {
      let container = try Safetensors(content)
      for name in container.entries.keys { files[name] = try container.unsignedBytes(name).values }
    } catch {
      throw Self.altered(name)
    }
    // Python sorts by code point, which in UTF-8 is the order of the bytes.
    let sorted = files.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    guard Safetensors.write(bytes: sorted.map { ($0.key, $0.value) }) == content else { throw Self.altered(name) }
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
  /// The manifest's schema that this package reads.
  package static let schemaVersion = 2
  /// No file of a bundle is larger.
  package static let mostFileBytes = 64_000_000
  private static let manifestFile = "manifest.json"
  private static let mostManifestBytes = 4_000_000
  private static let mostFiles = 1000

  /// The manifest, once its own hash was found right.
  package let manifest: JSONValue
  /// The content of the files that were asked for; all others are verified as well.
  package let kept: [String: [UInt8]]

  package init(_ source: some BundleSource, _ path: String, keeping: [String]) throws(EdgeECGError) {
    manifest = try Self.verifiedManifest(try source.read(Self.manifestFile, most: Self.mostManifestBytes), path)
    guard manifest["schema"]?.integer == Self.schemaVersion else {
      let schema = manifest["schema"]?.integer.map { String($0) } ?? "none"
      throw EdgeECGError.bundleVersion("\(path): schema is \(schema), this package reads \(Self.schemaVersion)")
    }
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
      guard let size = facts["bytes"]?.integer, (0...Self.mostFileBytes).contains(size) else {
        throw EdgeECGError.bundle("\(path): \(name) declares no size from 0 to \(Self.mostFileBytes) bytes")
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

  /// The manifest, if it is written as Python writes it and its seal holds: a hash over everything else in it.
  private static func verifiedManifest(_ content: [UInt8], _ path: String) throws(EdgeECGError) -> JSONValue {
    let manifest: JSONValue?
    do throws(JSONError) { manifest = try JSONValue(parsing: content) } catch { manifest = nil }
    guard content.count <= mostManifestBytes, let manifest, let members = manifest.members else {
      throw EdgeECGError.alteredBundle("\(path): \(manifestFile) is not JSON as a bundle has it")
    }
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
