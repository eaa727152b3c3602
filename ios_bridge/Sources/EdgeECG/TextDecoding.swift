/// Bytes to text: UTF-8 or UTF-16, else Latin-1, in which at least the numbers are right.
enum TextDecoding {
  static func decoded(_ content: [UInt8]) -> (text: String, isUnicode: Bool) {
    let text: String? =
      if content.starts(with: [0xff, 0xfe]) {
        utf16(content.dropFirst(2), isLittleEndian: true)
      } else if content.starts(with: [0xfe, 0xff]) {
        utf16(content.dropFirst(2), isLittleEndian: false)
      } else if content.contains(0) {  // UTF-16 without its mark: the zero of a digit comes second, or first
        utf16(content[...], isLittleEndian: zeros(content, from: 1) > zeros(content, from: 0))
      } else {
        utf8(content.starts(with: [0xef, 0xbb, 0xbf]) ? content.dropFirst(3) : content[...])
      }
    return text.map { ($0, true) } ?? (latin1(content), false)
  }

  private static func zeros(_ content: [UInt8], from start: Int) -> Int {
    stride(from: start, to: content.count, by: 2).count { content[$0] == 0 }
  }

  private static func utf8(_ content: ArraySlice<UInt8>) -> String? {
    let text = String(decoding: content, as: UTF8.self)
    return text.utf8.elementsEqual(content) ? text : nil
  }

  private static func utf16(_ content: ArraySlice<UInt8>, isLittleEndian: Bool) -> String? {
    guard content.count.isMultiple(of: 2) else { return nil }
    let units = stride(from: content.startIndex, to: content.endIndex, by: 2).map { index in
      let (first, second) = (UInt16(content[index]), UInt16(content[index + 1]))
      return isLittleEndian ? first | second << 8 : first << 8 | second
    }
    let text = String(decoding: units, as: UTF16.self)
    return text.utf16.elementsEqual(units) ? text : nil
  }

  private static func latin1(_ content: [UInt8]) -> String {
    String(String.UnicodeScalarView(content.map { Unicode.Scalar($0) }))
  }
}
