/// The lines above the values: rate, unit and time, by known keys or by structure. The person's lines are dropped.
struct AppleHeader {
  private struct Field {
    let key: String
    let value: String
  }

  private static let personKeys: Set = ["name", "date of birth", "geburtstag", "姓名", "出生日期"]
  private static let rateKeys: Set = [
    "sample rate", "messrate", "采样率", "fs", "sr", "sps", "rate", "freq", "frequency", "hz", "hertz", "sf", "sfreq",
    "srate", "fsamp", "fsample", "samplerate", "sampling", "frequenz", "fréquence", "frequenza", "frecuencia",
    "частота",
    "频率", "頻率", "周波数",
  ]
  // A key of one of the first and one of the second is about a rate, and of one of the third it is not.
  private static let samplingWords = [
    "sampl", "abtast", "échant", "echant", "muestr", "campion", "amostr", "próbk", "probk", "vzork", "дискрет", "采样",
    "採樣", "取样", "取樣", "サンプル", "サンプリング", "샘플", "표본", "δειγμ", "örnek", "bemonster", "minta", "näyt", "acqui", "digiti",
    "data", "adc", "scan",
  ]
  private static let rateWords = [
    "rate", "freq", "frek", "fréq", "taux", "frecu", "tasa", "tasso", "taxa", "hz", "hertz", "speed", "часто", "率", "频",
    "頻",
    "周波数", "速度", "レート", "주파수", "속도", "συχν", "hızı", "per s", "/s", "sps", "fs",
  ]
  private static let otherRates = [
    "heart", "puls", "herz", "card", "resp", "breath", "bpm", "filter", "notch", "pass", "cut", "mains", "corner",
    "line freq", "power", "baud", "bit", "refresh", "display", "screen", "пульс", "心",
  ]
  private static let intervalWords = ["interval", "period", "spacing", "step", "delta t"]
  private static let sameRate = 0.01  // a nominal rate and a measured one differ by less
  private static let timeKeys: Set = ["recorded date", "aufzeichnungsdatum", "记录日期"]
  private static let timeWords = ["record", "start", "begin", "acqui", "measure", "captur", "aufzeichn", "aufnahme"]
  private static let unitKeys: Set = ["unit", "einheit", "单位"]
  private static let unitsKnownBySight: Set = ["μv", "uv", "mv", "мкв", "мв"]  // a lone V may be anything
  private static let hertz = [
    "hert", "herc", "hz", "赫", "ヘルツ", "헤르츠", "герц", "гц", "херц", "χερτζ", "هرتز", "הרץ", "เฮิรตซ์",
  ]

  private let fields: [Field]  // the last line first

  /// - Parameter lines: the header's lines in plain spelling (`AppleCSV.plain`).
  init(_ lines: [String]) {
    fields = lines.reversed().map { line in
      let parts = Self.trimmed(line, of: " \t#;%/*!\"'{}|,").unicodeScalars
        .split(maxSplits: 1, omittingEmptySubsequences: false) { [",", ";", ":", "=", "|", "\t"].contains($0) }
      let texts = parts.map { Self.trimmed(String($0), of: " ,;\t=") }
      return Field(key: texts.first?.lowercased() ?? "", value: texts.last ?? "")
    }
    .filter { !Self.personKeys.contains($0.key) }
  }

  /// The rate in hertz; 512 where none is stated.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a statement that can't be read: a wrong rate makes wrong RR intervals
  ///   without a word.
  func sampleRateHz() throws(EdgeECGError) -> Double {
    if fields.contains(where: { Self.statesInterval($0.key) }) {
      throw EdgeECGError.recording("states a sampling interval, which only Edge ECG for Python reads")
    }
    var rates = try fields.filter { Self.statesRate($0) }.map { field throws(EdgeECGError) in try Self.onlyRate(field) }
    if rates.isEmpty { rates = fields.compactMap { Self.namedRate($0) } }
    if rates.isEmpty { rates = fields.compactMap { Self.rateInUnknownWords($0.value) } }
    guard let first = rates.first else { return ECGRecording.defaultRateHz }
    guard rates.allSatisfy({ abs($0 - first) <= Self.sameRate * max($0, first) }) else {
      throw EdgeECGError.recording("states two sample rates that differ")
    }
    guard first > 0, first.isFinite else {
      throw EdgeECGError.recording("states a sample rate of \(first == 0 ? "0" : "\(first)") Hz, which is none")
    }
    return first
  }

  /// Whether some line names a number of hertz, in a word that is known.
  var namesRate: Bool { fields.contains { Self.namedRate($0) != nil } }

  private static func words(_ key: String) -> String {
    key.unicodeScalars.split { !(isLetter($0) || NumberText.isDigit($0) || $0 == "/") }
      .map { String($0) }.joined(separator: " ")
  }

  private static func holdsAny(_ text: String, _ words: [String]) -> Bool {
    words.contains { text.utf8.holds($0.utf8) }
  }

  private static func statesInterval(_ key: String) -> Bool {
    let words = words(key)
    return words == "dt" || holdsAny(words, intervalWords) && holdsAny(words, samplingWords)
  }

  private static func statesRate(_ field: Field) -> Bool {
    let words = words(field.key)
    let value = field.value.lowercased()
    if field.value.isEmpty || holdsAny(words, otherRates) || holdsAny(value, ["bpm"]) { return false }
    let bare = words.split(separator: " ").filter { !["in", "hz", "khz", "hertz", "ecg", "nominal"].contains($0) }
    return rateKeys.contains(words) || rateKeys.contains(bare.joined(separator: " "))
      || rateKeys.contains(words.filter { $0 != " " })
      || holdsAny(words, samplingWords) && (holdsAny(words, rateWords) || namedRate(field) != nil)
  }

  /// The one number of a line that states a rate.
  private static func onlyRate(_ field: Field) throws(EdgeECGError) -> Double {
    var scanner = Scanner(field.value.lowercased())
    var numbers: [Double] = []
    while !scanner.isAtEnd {
      let start = scanner.at
      if let rate = rate(&scanner) { numbers.append(rate) } else { scanner.move(to: start + 1) }
    }
    let text = field.key + " " + field.value.lowercased()
    if numbers.count > 1, let named = namedRate(field) { return named }
    guard numbers.count == 1 else {
      throw EdgeECGError.recording("sample rate is not a number of hertz; expected it as in '512 hertz'")
    }
    return numbers[0] * (holdsAny(text, ["khz", "k hz", "kilohert"]) ? 1000 : 1)
  }

  private static func namedRate(_ field: Field) -> Double? {
    if holdsAny(words(field.key), otherRates) || holdsAny(field.value.lowercased(), otherRates) { return nil }
    var scanner = Scanner(field.value.lowercased())
    while !scanner.isAtEnd {
      let start = scanner.at
      if let rate = rate(&scanner) {
        scanner.skipAll { $0.properties.isWhitespace || $0 == "(" || $0 == "[" }
        let isKilo = scanner.skip { $0 == "k" }
        if skipHertz(&scanner) { return isKilo ? 1000 * rate : rate }
      }
      scanner.move(to: start + 1)
    }
    return nil
  }

  /// Hertz in any other language: Apple's file names 511 to 514 of them, as no heart beats, alone in the field.
  private static func rateInUnknownWords(_ value: String) -> Double? {
    var scanner = Scanner(value)
    guard let first = scanner.next, first.isASCII, NumberText.isDigit(first), first != "0",
      let rate = rate(&scanner), (500..<530).contains(rate)
    else { return nil }
    scanner.skipAll { $0.properties.isWhitespace }
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
    let about = fields.filter { Self.timeKeys.contains($0.key) || Self.holdsAny(Self.words($0.key), Self.timeWords) }
    return about.lazy.compactMap { Self.day(in: $0.value)?.description }.first
  }

  /// The day of a time in another spelling: `2023/10/5`, `2566-10-05`.
  private static func day(in text: String) -> ECGCalendarDay? {
    var scanner = Scanner(text)
    while !scanner.isAtEnd {
      let start = scanner.at
      if let previous = scanner.previous, NumberText.isDigit(previous) {
        scanner.move(to: start + 1)
        continue
      }
      let isMark = { (scalar: Unicode.Scalar) in ["-", "/", "."].contains(scalar) }
      if let year = number(ofDigits: 4...4, &scanner), scanner.skip(isMark),
        let month = number(ofDigits: 1...2, &scanner), scanner.skip(isMark),
        let day = number(ofDigits: 1...2, &scanner),
        let found = ECGCalendarDay(year: year, month: month, day: day)
      {
        return found
      }
      scanner.move(to: start + 1)
    }
    return nil
  }

  private static func number(ofDigits counts: ClosedRange<Int>, _ scanner: inout Scanner) -> Int? {
    let start = scanner.at
    let digits = scanner.skipAll(NumberText.isDigit)
    guard counts.contains(digits) else { return nil }
    return NumberText.number(scanner.text(from: start, to: scanner.at)).map { Int(clamped: $0) }
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

  private static func trimmed(_ text: String, of marks: String) -> String {
    var scalars = Substring(text).unicodeScalars
    let isMark = { (scalar: Unicode.Scalar) in marks.unicodeScalars.contains(scalar) || scalar.properties.isWhitespace }
    while let first = scalars.first, isMark(first) { scalars.removeFirst() }
    while let last = scalars.last, isMark(last) { scalars.removeLast() }
    return String(scalars)
  }

  private static func skipHertz(_ scanner: inout Scanner) -> Bool {
    scanner.skipAll { $0.properties.isWhitespace }
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
