/// A packed bundle whose references an enrollment moved, as a file of its own.
extension PackedFiles {
  /// The content of the same file with the moved references, and a manifest that says so.
  /// - Throws: ``EdgeECGError/bundle(_:)`` if the manifest lists no files.
  package func enrolled(by enrollment: ECGEnrollment) throws(EdgeECGError) -> [UInt8] {
    let references = enrollment.references.safetensors
    let facts = JSONValue.object([
      .init(key: "bytes", value: .number(String(references.count))),
      .init(key: "sha256", value: .string(SHA256.hexDigest(of: references))),
    ])
    let manifest: JSONValue?
    do throws(JSONError) {
      manifest = try JSONValue(parsing: files[VerifiedFiles.manifestFile] ?? [])
    } catch {
      manifest = nil
    }
    guard let members = manifest?.members, let listed = manifest?["files"]?.members else {
      throw EdgeECGError.bundle("\(name): its manifest lists no files")
    }
    var entries = members.filter { $0.key != "files" && $0.key != "enrollment" }
    entries.append(
      .init(
        key: "files",
        value: .object(listed.map { $0.key == PortableParts.referencesFile ? .init(key: $0.key, value: facts) : $0 })))
    entries.append(.init(key: "enrollment", value: enrollment.json))
    var text: [UInt8] = []
    JSONValue.object(entries).write(into: &text)
    var contents = files.filter { $0.key != VerifiedFiles.sealFile }
    contents[VerifiedFiles.manifestFile] = text
    contents[PortableParts.referencesFile] = references
    let sorted = contents.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    return Safetensors.write(
      bytes: sorted.map { ($0.key, $0.value) }, metadata: (VerifiedFiles.sealFile, SHA256.hexDigest(of: text)))
  }
}

extension JSONValue {
  /// Appends the document without spaces, its numbers as they are.
  fileprivate func write(into out: inout [UInt8]) {
    switch self {
    case .null: out += "null".utf8
    case .bool(let value): out += (value ? "true" : "false").utf8
    case .number(let text): out += text.utf8
    case .string(let text): Self.write(text, into: &out)
    case .array(let items):
      out += "[".utf8
      for (index, item) in items.enumerated() {
        if index > 0 { out += ",".utf8 }
        item.write(into: &out)
      }
      out += "]".utf8
    case .object(let members):
      out += "{".utf8
      for (index, member) in members.enumerated() {
        if index > 0 { out += ",".utf8 }
        Self.write(member.key, into: &out)
        out += ":".utf8
        member.value.write(into: &out)
      }
      out += "}".utf8
    }
  }

  private static func write(_ text: String, into out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    out += "\"".utf8
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
      case 0..<0x20: out += "\\u00".utf8 + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: out.append(byte)
      }
    }
    out += "\"".utf8
  }
}

extension ECGEnrollment {
  /// What the manifest of the enrolled bundle says: the entries that Python writes.
  fileprivate var json: JSONValue {
    func number(_ value: Double) -> JSONValue { .number(value.pythonRepr) }
    let rejected = samples.compactMap { sample in
      sample.rejected.map { why in
        JSONValue.object([.init(key: "file", value: .string(sample.source)), .init(key: "why", value: .string(why))])
      }
    }
    let note = "Metrics, levels and parity were measured before enrollment; the graphs are the same files."
    return .object([
      .init(key: "recordings", value: .number(String(used.count))),
      .init(key: "dates", value: .array(dates.map { .string($0) })),
      .init(key: "rejected", value: .array(rejected)),
      .init(key: "distance", value: number(distance)),
      .init(key: "shift", value: .array(shift.map { number($0) })),
      .init(key: "limit", value: references.distribution.map { number($0.limit) } ?? .null),
      .init(key: "note", value: .string(note)),
    ])
  }
}
