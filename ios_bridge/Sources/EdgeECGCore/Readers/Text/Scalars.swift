/// A text as the numbers of its Unicode scalars: Swift's own strings compare and fold by tables of 100 KB.
typealias Scalars = [UInt32]

extension Array<UInt32> {
  init(_ text: String) { self = text.unicodeScalars.map { $0.value } }

  var text: String { String(String.UnicodeScalarView(compactMap { Unicode.Scalar($0) })) }

  var casefolded: Scalars { map { $0.casefolded } }

  func trimmed(of marks: Scalars) -> Scalars {
    guard let first = firstIndex(where: { !marks.contains($0) }), let last = lastIndex(where: { !marks.contains($0) })
    else { return [] }
    return Scalars(self[first...last])
  }

  func isOne(of words: [String]) -> Bool {
    words.contains { word in elementsEqual(word.unicodeScalars.lazy.map { $0.value }) }
  }
}

extension UInt32 {
  /// White space as Python's `str.isspace` knows it.
  var isSpace: Bool {
    switch self {
    case 9...13, 28...32, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
    default: false
    }
  }

  /// A letter, a number or an underscore.
  var isWord: Bool {
    if self < 128 { return (0x30...0x39).contains(self) || (0x61...0x7a).contains(self | 0x20) || self == 0x5f }
    guard let scalar = UInt16(exactly: self) else { return true }
    var (low, high) = (0, Vocabulary.wordRuns.count / 2)  // the first run that ends at it or behind it
    while low < high {
      let middle = (low + high) / 2
      if Vocabulary.wordRuns[2 * middle + 1] < scalar { low = middle + 1 } else { high = middle }
    }
    return 2 * low < Vocabulary.wordRuns.count && Vocabulary.wordRuns[2 * low] <= scalar
  }

  /// What a decimal digit of any script counts.
  var digit: UInt32? {
    if self < 128 { return (0x30...0x39).contains(self) ? self - 0x30 : nil }
    guard let scalar = UInt16(exactly: self), let zero = Vocabulary.zeros.last(where: { $0 <= scalar })
    else { return nil }
    return scalar - zero < 10 ? UInt32(scalar - zero) : nil
  }

  /// Its small letter, by which texts are compared whatever their case.
  var casefolded: UInt32 {
    if self < 128 { return (0x41...0x5a).contains(self) ? self + 32 : self }
    if self == 0xb5 { return 0x3bc }
    for run in stride(from: 0, to: Vocabulary.capitals.count, by: 4) {
      let (first, last) = (Vocabulary.capitals[run], Vocabulary.capitals[run + 1])
      guard let scalar = Int32(exactly: self), scalar <= last else { continue }
      let isIn = scalar >= first && (scalar - first) % Vocabulary.capitals[run + 2] == 0
      return isIn ? UInt32(scalar + Vocabulary.capitals[run + 3]) : self
    }
    return self
  }
}
