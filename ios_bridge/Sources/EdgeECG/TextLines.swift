/// The lines of a text, as bytes of UTF-8: a recording holds thousands, and few of them need to become a `String`.
struct TextLines: Sendable {
  /// A line that is not empty, without the white space at its ends.
  struct Line: Sendable {
    /// Its number in the file, from 1.
    let number: Int
    let bytes: Range<Int>
  }

  let text: [UInt8]
  private(set) var lines: [Line] = []

  /// - Throws: ``EdgeECGError/recording(_:)`` if a byte is of no text.
  init(_ text: [UInt8]) throws {
    self.text = text
    var (number, start) = (1, 0)
    for at in text.indices {
      let byte = text[at]
      guard byte < 32 || byte == 0x85 || byte == 0xa8 || byte == 0xa9 else { continue }
      guard byte >= 32 || (9..<14).contains(byte) else {
        throw EdgeECGError.recording("holds binary data; expected text, an Apple ECG file or one value a line")
      }
      guard let length = lineBreak(endingAt: at) else { continue }
      add(number, start..<at + 1 - length)
      (number, start) = (number + 1, at + 1)
    }
    add(number, start..<text.count)
  }

  func string(_ line: Line) -> String { String(decoding: text[line.bytes], as: UTF8.self) }

  /// Bytes of the line break that ends here: Unicode's, as Python's `splitlines` knows them.
  private func lineBreak(endingAt at: Int) -> Int? {
    switch text[at] {
    case 0x09: nil
    case 0x0d: at + 1 < text.count && text[at + 1] == 0x0a ? nil : 1
    case 0x0a: at > 0 && text[at - 1] == 0x0d ? 2 : 1
    case 0x85: at > 0 && text[at - 1] == 0xc2 ? 2 : nil
    case 0xa8, 0xa9: at > 1 && text[at - 1] == 0x80 && text[at - 2] == 0xe2 ? 3 : nil
    default: 1
    }
  }

  private mutating func add(_ number: Int, _ bytes: Range<Int>) {
    var (first, end) = (bytes.lowerBound, bytes.upperBound)
    while first < end, text[first] == 0x20 || text[first] == 0x09 { first += 1 }
    while first < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
    if first < end, text[first] > 127 || text[end - 1] > 127 {  // it may be wide white space
      let line = String(decoding: text[first..<end], as: UTF8.self).unicodeScalars
      first += line.prefix { $0.properties.isWhitespace }.reduce(0) { $0 + $1.utf8.count }
      end = max(first, end - line.reversed().prefix { $0.properties.isWhitespace }.reduce(0) { $0 + $1.utf8.count })
    }
    if first < end { lines.append(Line(number: number, bytes: first..<end)) }
  }
}

extension TextLines {
  /// The number of a line that has nothing but a sign, digits and one `mark`; nothing for any other line.
  ///
  /// - Returns: the number, and what stands before the mark.
  func plainNumber(_ line: Line, mark: UInt8) -> (value: Double, whole: Double)? {
    var (mantissa, digits, decimals): (UInt64, Int, Int) = (0, 0, 0)
    var whole: UInt64?
    var at = line.bytes.lowerBound
    let isNegative = text[at] == UInt8(ascii: "-")
    if isNegative || text[at] == UInt8(ascii: "+") { at += 1 }
    while at < line.bytes.upperBound {
      let byte = text[at]
      at += 1
      if byte == mark, whole == nil {
        whole = mantissa
      } else if byte >= 0x30, byte <= 0x39, digits < 15 {  // so many digits are an exact `Double`
        mantissa = 10 * mantissa + UInt64(byte - 0x30)
        digits += 1
        if whole != nil { decimals += 1 }
      } else {
        return nil
      }
    }
    guard digits > 0, whole == nil || decimals > 0 else { return nil }
    // One division of two exact numbers is rounded once, as a decimal number must be.
    let magnitude = Double(mantissa) / Self.powersOfTen[decimals]
    let before = Double(whole ?? mantissa)
    return isNegative ? (-magnitude, -before) : (magnitude, before)
  }

  private static let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
  ]
}
