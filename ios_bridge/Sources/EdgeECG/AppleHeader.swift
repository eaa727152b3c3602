/// The lines above the values: rate, unit and time, by known keys or by structure. The person's lines are dropped.
struct AppleHeader {
  private struct Field {
    let key: String
    let value: String
  }

  private static let personKeys: Set = ["name", "date of birth", "geburtstag", "姓名", "出生日期"]
  private static let rateKeys: Set = ["sample rate", "messrate", "采样率"]
  private static let timeKeys: Set = ["recorded date", "aufzeichnungsdatum", "记录日期"]
  private static let unitKeys: Set = ["unit", "einheit", "单位"]
  private static let unitsKnownBySight: Set = ["μv", "uv", "mv", "мкв", "мв"]  // a lone V may be anything
  private static let hertz = [
    "hert", "herc", "hz", "赫", "ヘルツ", "헤르츠", "герц", "гц", "херц", "χερτζ", "هرتز", "הרץ", "เฮิรตซ์",
  ]

  private let fields: [Field]  // the last line first

  /// - Parameter lines: the header's lines in plain spelling (`AppleCSV.plain`).
  init(_ lines: [String]) {
    fields = lines.reversed().map { line in
      let parts = line.unicodeScalars.split(maxSplits: 1, omittingEmptySubsequences: false) { scalar in
        [",", ";", ":", "\t"].contains(scalar)
      }
      let texts = parts.map { NumberText.trimmed(String($0)) }
      return Field(key: texts.first?.lowercased() ?? "", value: texts.last ?? "")
    }
    .filter { !Self.personKeys.contains($0.key) }
  }

  /// The rate in hertz; 512 where none is given.
  func sampleRateHz() throws -> Double {
    if let named = fields.first(where: { Self.rateKeys.contains($0.key) && !$0.value.isEmpty }) {
      var scanner = Scanner(named.value.lowercased())
      guard let rate = Self.rate(&scanner), scanner.isAtEnd || Self.skipHertz(&scanner) else {
        throw EdgeECGError.recording("sample rate is not a number of hertz; expected it as in '512 hertz'")
      }
      return rate
    }
    return namedRate ?? fields.lazy.compactMap { Self.rateInUnknownWords($0.value) }.first ?? Recording.defaultRateHz
  }

  /// A number of hertz, in a word that is known.
  var namedRate: Double? {
    for field in fields {
      var scanner = Scanner(field.value.lowercased())
      while !scanner.isAtEnd {
        let start = scanner.at
        if let rate = Self.rate(&scanner), Self.skipHertz(&scanner) { return rate }
        scanner.move(to: start + 1)
      }
    }
    return nil
  }

  /// Hertz in any other language: nothing else in Apple's header is three digits and a word, alone in its field.
  private static func rateInUnknownWords(_ value: String) -> Double? {
    var scanner = Scanner(value)
    guard let first = scanner.next, first.isASCII, NumberText.isDigit(first), first != "0",
      let rate = rate(&scanner), (100..<1000).contains(rate)
    else { return nil }
    scanner.skipAll(\.properties.isWhitespace)
    guard scanner.skip(isLetter) else { return nil }
    let rest = scanner.skipAll { !NumberText.isDigit($0) && ![",", ".", ";", ":", "/"].contains($0) }
    return scanner.isAtEnd && rest <= 20 ? rate : nil
  }

  /// The unit's text; microvolts where none is given.
  var unit: String {
    if let named = fields.first(where: { Self.unitKeys.contains($0.key) && !$0.value.isEmpty }) { return named.value }
    let lastWords = fields.compactMap { field in
      field.value.unicodeScalars.split { !Self.isLetter($0) }.last.map { String($0) }
    }
    return lastWords.first { Self.unitsKnownBySight.contains($0.lowercased()) } ?? "µV"
  }

  /// The timestamp's own text. Its zone is Apple's, and keeps out a birth date under a key in an unknown language.
  var recordedAt: String? {
    for field in fields {
      var scanner = Scanner(field.value)
      while !scanner.isAtEnd {
        let start = scanner.at
        if Self.skipTime(&scanner) { return scanner.text(from: start, to: scanner.at) }
        scanner.move(to: start + 1)
      }
    }
    for field in fields where Self.timeKeys.contains(field.key) {
      var scanner = Scanner(field.value)
      if Self.skipLocalTime(&scanner), scanner.isAtEnd { return field.value }
    }
    return nil
  }

  /// A number that is not the tail of another one.
  private static func rate(_ scanner: inout Scanner) -> Double? {
    if let before = scanner.previous, NumberText.isDigit(before) || ["-", ".", ","].contains(before) { return nil }
    let start = scanner.at
    guard scanner.skipAll(NumberText.isDigit) > 0 else { return nil }
    if let mark = scanner.next, mark == "." || mark == ",", let digit = scanner.afterNext, NumberText.isDigit(digit) {
      scanner.skip { _ in true }
      scanner.skipAll(NumberText.isDigit)
    }
    return NumberText.number(scanner.text(from: start, to: scanner.at), decimalComma: true)
  }

  private static func skipHertz(_ scanner: inout Scanner) -> Bool {
    scanner.skipAll(\.properties.isWhitespace)
    return hertz.contains { scanner.skip(word: $0) }
  }

  /// A time with its zone.
  private static func skipTime(_ scanner: inout Scanner) -> Bool {
    guard skipLocalTime(&scanner) else { return false }
    scanner.skip { $0 == " " }
    if scanner.skip({ $0 == "Z" }) { return true }
    guard scanner.skip({ $0 == "-" || $0 == "+" }), skipDigits(2, &scanner) else { return false }
    scanner.skip { $0 == ":" }
    return skipDigits(2, &scanner)
  }

  /// `2021-12-17 12:58:58`
  private static func skipLocalTime(_ scanner: inout Scanner) -> Bool {
    let parts: [(digits: Int, marks: [Unicode.Scalar])] = [
      (4, ["-"]), (2, ["-"]), (2, [" ", "T"]), (2, [":"]), (2, [":"]),
    ]
    for part in parts {
      guard skipDigits(part.digits, &scanner), scanner.skip({ part.marks.contains($0) }) else { return false }
    }
    return skipDigits(2, &scanner)
  }

  private static func skipDigits(_ count: Int, _ scanner: inout Scanner) -> Bool {
    (0..<count).allSatisfy { _ in scanner.skip(NumberText.isDigit) }
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    case .letterNumber, .otherNumber: true
    default: false
    }
  }
}
