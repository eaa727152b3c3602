/// Numbers as text, read as Python's `float` and the patterns of `edge_ecg/apple_csv.py` read them.
enum NumberText {
  /// Whether it is a decimal digit of any script.
  static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII ? (0x30...0x39).contains(scalar.value) : scalar.properties.numericType == .decimal
  }

  /// The text without white space at its ends.
  static func trimmed(_ text: String) -> String {
    var scalars = Substring(text).unicodeScalars
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(scalars)
  }

  /// The number that `text` is as a whole: decimal digits of any script, a point, an exponent; or inf or nan.
  static func number(_ text: String, decimalComma: Bool = false) -> Double? {
    var plain = ""
    for scalar in trimmed(text).unicodeScalars {
      if scalar.isASCII {
        plain.unicodeScalars.append(decimalComma && scalar == "," ? "." : scalar)
      } else if isDigit(scalar), let value = scalar.properties.numericValue {
        plain.append(String(Int(value)))
      } else {
        return nil
      }
    }
    var scanner = Scanner(plain.lowercased())
    scanner.skip { $0 == "-" || $0 == "+" }
    if ["nan", "inf", "infinity"].contains(scanner.rest) {
      let negative = plain.hasPrefix("-")
      return scanner.rest == "nan" ? .nan : negative ? -.infinity : .infinity
    }
    let whole = scanner.skipAll(isDigit)
    let fraction = scanner.skip { $0 == "." } ? scanner.skipAll(isDigit) : 0
    guard whole + fraction > 0 else { return nil }
    if scanner.skip({ $0 == "e" }) {
      scanner.skip { $0 == "-" || $0 == "+" }
      guard scanner.skipAll(isDigit) > 0 else { return nil }
    }
    return scanner.isAtEnd ? Double(plain) : nil
  }

  /// Whether the line consists of numbers, separators and blanks, and has a number.
  static func isNumericLine(_ line: String) -> Bool {
    var scanner = Scanner(line.lowercased())
    var previous: Unicode.Scalar?
    var hasNumber = false
    while let scalar = scanner.next {
      if isDigit(scalar) {
        hasNumber = true
      } else if scanner.skip(word: "nan") || scanner.skip(word: "infinity") || scanner.skip(word: "inf") {
        hasNumber = true
        previous = "n"
        continue
      } else if scalar == "e" {
        guard let before = previous, isDigit(before) || before == "." || before == ",",
          let after = scanner.afterNext, isDigit(after) || after == "-" || after == "+"
        else { return false }
      } else if !["-", "+", ".", ",", ";", " ", "\t"].contains(scalar) {
        return false
      }
      previous = scalar
      scanner.skip { _ in true }
    }
    return hasNumber
  }

  /// Whether the text has the form of a number, so that an error may show it.
  static func isShowable(_ text: String) -> Bool {
    var scanner = Scanner(text.lowercased())
    scanner.skip { $0 == "-" || $0 == "+" }
    scanner.skipAll(isDigit)
    scanner.skip { $0 == "." }
    scanner.skipAll(isDigit)
    if scanner.skip({ $0 == "e" }) {
      scanner.skip { $0 == "-" || $0 == "+" }
      guard scanner.skipAll(isDigit) > 0 else { return false }
    }
    return scanner.isAtEnd
  }
}

/// Walks through text, one scalar after the other.
struct Scanner {
  private let scalars: [Unicode.Scalar]
  private(set) var at: Int

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    at = 0
  }

  var isAtEnd: Bool { at == scalars.count }
  var next: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }
  var afterNext: Unicode.Scalar? { at + 1 < scalars.count ? scalars[at + 1] : nil }
  var previous: Unicode.Scalar? { at > 0 ? scalars[at - 1] : nil }
  var rest: String { text(from: at, to: scalars.count) }

  func text(from start: Int, to end: Int) -> String {
    String(String.UnicodeScalarView(scalars[start..<end]))
  }

  mutating func move(to index: Int) { at = min(index, scalars.count) }

  @discardableResult
  mutating func skip(_ isWanted: (Unicode.Scalar) -> Bool) -> Bool {
    guard let next, isWanted(next) else { return false }
    at += 1
    return true
  }

  /// How many it skipped.
  @discardableResult
  mutating func skipAll(_ isWanted: (Unicode.Scalar) -> Bool) -> Int {
    let start = at
    while skip(isWanted) {}
    return at - start
  }

  mutating func skip(word: String) -> Bool {
    guard scalars[at...].starts(with: word.unicodeScalars) else { return false }
    at += word.unicodeScalars.count
    return true
  }
}
