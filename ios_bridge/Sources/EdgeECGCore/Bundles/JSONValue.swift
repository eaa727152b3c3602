/// A JSON document. Numbers keep their text, so that nothing is rounded before somebody asks for a value.
package indirect enum JSONValue: Hashable, Sendable {
  /// `null`
  case null
  /// `true` or `false`
  case bool(Bool)
  /// A number, as it was written.
  case number(String)
  /// A string, its escapes resolved.
  case string(String)
  /// A list.
  case array([JSONValue])
  /// Entries by name, in the order of the document; no name comes twice.
  case object([Member])

  /// One entry of an object.
  package struct Member: Hashable, Sendable {
    /// The name.
    package let key: String
    /// What it names.
    package let value: JSONValue
  }

  /// The entry of that name, if this is an object that has it.
  package subscript(key: String) -> JSONValue? {
    members?.first { $0.key == key }?.value
  }

  /// The entries, if this is an object.
  package var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// The items, if this is a list.
  package var items: [JSONValue]? {
    if case .array(let items) = self { items } else { nil }
  }

  /// The text, if this is a string.
  package var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The number, if this is one without fraction or exponent that fits.
  package var integer: Int? {
    if case .number(let text) = self { Int(text) } else { nil }
  }

  /// The number, if this is a finite one.
  package var double: Double? {
    guard case .number(let text) = self, let value = Double(text), value.isFinite else { return nil }
    return value
  }

  /// The document in `bytes`, which must be UTF-8.
  ///
  /// Stricter than RFC 8259 asks: names are unique, at most `mostDepth` levels, no lone surrogates.
  /// - Throws: ``JSONError``, which says where.
  package init(parsing bytes: [UInt8], mostDepth: Int = 64) throws(JSONError) {
    var parser = JSONParser(bytes: bytes, mostDepth: mostDepth)
    self = try parser.document()
  }
}

/// Text that is not JSON as it is read here.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  package let reason: String
  /// Bytes before it.
  package let offset: Int

  /// What is wrong, and where.
  package var description: String { "\(reason) at byte \(offset)" }
}

private struct JSONParser {
  private static let mostNumberLength = 1000

  let bytes: [UInt8]
  let mostDepth: Int
  private var at = 0

  init(bytes: [UInt8], mostDepth: Int) {
    self.bytes = bytes
    self.mostDepth = mostDepth
  }

  mutating func document() throws(JSONError) -> JSONValue {
    guard String(decoding: bytes, as: UTF8.self).utf8.elementsEqual(bytes) else { throw error("not UTF-8") }
    let value = try value(depth: 0)
    skipSpace()
    guard at == bytes.count else { throw error("text after the document") }
    return value
  }

  private func error(_ reason: String) -> JSONError {
    JSONError(reason: reason, offset: at)
  }

  private var next: UInt8? {
    at < bytes.count ? bytes[at] : nil
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < mostDepth else { throw error("more than \(mostDepth) levels") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    at += 1
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("no name where one is expected") }
      let key = try string()
      guard names.insert(key).inserted else { throw error("a name that came before") }
      guard take(":") else { throw error("no colon where one is expected") }
      members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
    } while take(",")
    guard take("}") else { throw error("an object that does not end") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    at += 1
    var items: [JSONValue] = []
    if take("]") { return .array(items) }
    repeat {
      items.append(try value(depth: depth + 1))
    } while take(",")
    guard take("]") else { throw error("a list that does not end") }
    return .array(items)
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[at...].starts(with: word.utf8) else { throw error("not a value") }
    at += word.utf8.count
    return value
  }

  private mutating func digits() throws(JSONError) {
    let start = at
    while let byte = next, (0x30...0x39).contains(byte) { at += 1 }
    if at == start { throw error("no digit where one is expected") }
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = at
    if next == UInt8(ascii: "-") { at += 1 }
    if next == UInt8(ascii: "0") { at += 1 } else { try digits() }
    if next == UInt8(ascii: ".") {
      at += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      at += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
      try digits()
    }
    guard at - start <= Self.mostNumberLength else { throw error("a number that is too long") }
    return .number(String(decoding: bytes[start..<at], as: UTF8.self))
  }

  private mutating func string() throws(JSONError) -> String {
    at += 1
    var text: [UInt8] = []
    while let byte = next {
      at += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): text.append(contentsOf: String(try escaped()).utf8)
      case 0..<0x20: throw error("a control character in a string")
      default: text.append(byte)
      }
    }
    throw error("a string that does not end")
  }

  private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
    let byte = next
    at += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try scalar()
    default: throw error("an unknown escape")
    }
  }

  /// The scalar of `\uXXXX`, or of a pair of surrogates.
  private mutating func scalar() throws(JSONError) -> Unicode.Scalar {
    var code = try fourHexDigits()
    if (0xd800..<0xdc00).contains(code), bytes[at...].starts(with: "\\u".utf8) {
      at += 2
      let low = try fourHexDigits()
      guard (0xdc00..<0xe000).contains(low) else { throw error("half a surrogate pair") }
      code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair") }
    return scalar
  }

  private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for place in at..<at + 4 {
      guard place < bytes.count, let digit = hexDigit(bytes[place]) else { throw error("no four hexadecimal digits") }
      code = code << 4 | digit
    }
    at += 4
    return code
  }
}

private func hexDigit(_ byte: UInt8) -> UInt32? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
  case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
  default: nil
  }
}
