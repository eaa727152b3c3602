/// JSON as Python's `json.dumps` writes it: the manifest's seal is a hash over such text.
extension JSONValue {
  /// The text of `json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)`.
  ///
  /// Numbers pass as they were written; whether that is Python's spelling is ``isCanonical(number:)``.
  func canonicalText() -> [UInt8] {
    var out: [UInt8] = []
    write(into: &out, indent: 0)
    return out
  }

  /// Whether Python would write this number as it stands here.
  static func isCanonical(number text: String) -> Bool {
    guard text.utf8.contains(where: { [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains($0) }) else {
      return text != "-0"
    }
    guard let value = Double(text), value.isFinite else { return false }
    return value.pythonRepr == text
  }

  /// Whether every number in here is written as Python would.
  var hasCanonicalNumbers: Bool {
    switch self {
    case .number(let text): Self.isCanonical(number: text)
    case .array(let items): items.allSatisfy { $0.hasCanonicalNumbers }
    case .object(let members): members.allSatisfy { $0.value.hasCanonicalNumbers }
    case .null, .bool, .string: true
    }
  }

  private func write(into out: inout [UInt8], indent: Int) {
    switch self {
    case .null: out += "null".utf8
    case .bool(let value): out += (value ? "true" : "false").utf8
    case .number(let text): out += text.utf8
    case .string(let text): Self.write(text, into: &out)
    case .array(let items):
      Self.write(items, brackets: ("[", "]"), into: &out, indent: indent) { item, out in
        item.write(into: &out, indent: indent + 1)
      }
    case .object(let members):
      // Python sorts by code point, which in UTF-8 is the order of the bytes.
      let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      Self.write(sorted, brackets: ("{", "}"), into: &out, indent: indent) { member, out in
        Self.write(member.key, into: &out)
        out += ": ".utf8
        member.value.write(into: &out, indent: indent + 1)
      }
    }
  }

  private static func write<Item>(
    _ items: [Item], brackets: (String, String), into out: inout [UInt8], indent: Int,
    each: (Item, inout [UInt8]) -> Void
  ) {
    out += brackets.0.utf8
    for (number, item) in items.enumerated() {
      out += (number == 0 ? "\n" : ",\n").utf8
      out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent + 1))
      each(item, &out)
    }
    if !items.isEmpty {
      out += "\n".utf8
      out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent))
    }
    out += brackets.1.utf8
  }

  private static func write(_ text: String, into out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): out += "\\\"".utf8
      case UInt8(ascii: "\\"): out += "\\\\".utf8
      case 0x08: out += "\\b".utf8
      case 0x09: out += "\\t".utf8
      case 0x0a: out += "\\n".utf8
      case 0x0c: out += "\\f".utf8
      case 0x0d: out += "\\r".utf8
      case 0..<0x10: out += "\\u000\(String(byte, radix: 16))".utf8
      case 0x10..<0x20: out += "\\u00\(String(byte, radix: 16))".utf8
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}

extension Double {
  /// The number as Python's `repr` writes it: the shortest digits that give it back, an exponent below 1e-4
  /// and from 1e16 on.
  package var pythonRepr: String {
    guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
    let sign = self.sign == .minus ? "-" : ""
    if self == 0 { return sign + "0.0" }
    // Swift gives the same digits and chooses another layout.
    let parts = magnitude.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(mantissa[0])
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    var pointAt = whole.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    var digits = Substring(whole + fraction)
    while digits.first == "0" {
      digits.removeFirst()
      pointAt -= 1
    }
    while digits.last == "0" { digits.removeLast() }
    if (-3...16).contains(pointAt) {
      let zeros = { (count: Int) in String(repeating: "0", count: Swift.max(0, count)) }
      if pointAt <= 0 { return sign + "0." + zeros(-pointAt) + digits }
      if digits.count <= pointAt { return sign + digits + zeros(pointAt - digits.count) + ".0" }
      return sign + digits.prefix(pointAt) + "." + digits.dropFirst(pointAt)
    }
    let exponent = pointAt - 1
    let shown = (exponent < 0 ? "-" : "+") + (Swift.abs(exponent) < 10 ? "0" : "") + String(Swift.abs(exponent))
    return sign + digits.prefix(1) + (digits.count > 1 ? "." + digits.dropFirst() : "") + "e" + shown
  }
}
