/// The lines above the values: rate, unit and time, by known keys or by structure. The person's lines are dropped.
///
/// The steps are those of `edge_ecg/readers/header.py`, the words and patterns the same.
struct AppleHeader {
  private struct Field {
    let key: Scalars
    let value: Scalars
    /// The letters and digits of the key, with single spaces between its words.
    let words: Scalars
  }

  private static let sameRate = 0.01  // a nominal rate and a measured one differ by less

  private let fields: [Field]  // the last line first

  /// - Parameter lines: the header's lines in plain spelling (`AppleCSV.plain`).
  init(_ lines: [String]) {
    fields = lines.reversed().flatMap { Self.parts(Scalars($0).trimmed(of: Vocabulary.marks)) }.compactMap { part in
      let texts = Vocabulary.afterKey.split(part, most: 1)
      let key = texts[0].trimmed(of: Scalars(" \"'")).casefolded
      if key.isEmpty || key.isOne(of: Vocabulary.personKeys) { return nil }
      let value = texts.count > 1 ? texts[1].trimmed(of: Scalars(" ,;\t\"'")) : texts[0]
      let words = Scalars(Vocabulary.word.all(key).compactMap { $0[0] }.map { key[$0] }.joined(separator: [0x20]))
      return Field(key: key, value: value, words: words)
    }
  }

  /// The `key: value` pairs of a line that holds several, or else the line.
  private static func parts(_ line: Scalars) -> [Scalars] {
    let pairs = Vocabulary.pairEnd.split(line).filter { Vocabulary.pair.begins($0) }
    return pairs.count > 1 ? pairs : [line] + pairs.filter { !line.starts(with: $0) }
  }

  // MARK: - The rate

  /// The rate in hertz; 512 where none is stated.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a statement that can't be read: a wrong rate makes wrong RR intervals
  ///   without a word.
  func sampleRateHz() throws(EdgeECGError) -> Double {
    var rates: [Double] = []
    for field in fields where Self.isRateKey(field) { rates.append(try Self.onlyRate(field)) }
    for field in fields { if let interval = try Self.interval(field) { rates.append(1 / interval) } }
    for field in fields { if let rate = try Self.rateOfStep(field.value) { rates.append(rate) } }
    if rates.isEmpty {
      let named = fields.compactMap { Self.namedRate($0) }
      rates = named.filter { ECGRecording.rateRangeHz.contains($0) }
      if rates.isEmpty { rates = Array(named.prefix(1)) }
    }
    if rates.isEmpty {
      rates = fields.compactMap { field in
        Vocabulary.rateInUnknownWords.whole(field.value).map { Self.number(field.value, $0[1]) }
      }
    }
    guard let first = rates.first else { return ECGRecording.defaultRateHz }
    if let other = rates.first(where: { abs($0 - first) > Self.sameRate * max($0, first) }) {
      throw EdgeECGError.recording("states two sample rates, \(Self.shown(first)) and \(Self.shown(other)) Hz")
    }
    guard first > 0, first.isFinite else {
      throw EdgeECGError.recording("states a sample rate of \(Self.shown(first)) Hz, which is none")
    }
    return first
  }

  /// Whether some line names a number of hertz, in a word that is known.
  var namesRate: Bool { fields.contains { Self.namedRate($0) != nil } }

  private static func isRateKey(_ field: Field) -> Bool {
    let words = field.words
    if Vocabulary.noSampling.isIn(words) || Vocabulary.anInterval.isIn(words) { return false }
    if field.key.isOne(of: Vocabulary.rateKeys) { return true }
    let namesRate = Vocabulary.rate.isIn(field.value)
    if Vocabulary.sampling.isIn(words), namesRate || Vocabulary.aRate.isIn(words) { return true }
    let bare = Vocabulary.rateSuffix.replaced(words) { _ in [] }.trimmed(of: [0x20])
    let spellings = [field.key, bare.isEmpty ? words : bare, words.filter { $0 != 0x20 }]
    guard spellings.contains(where: { $0.isOne(of: Vocabulary.shortRateKeys) }) else { return false }
    // A frequency may also be the heart's: its number stands alone or with hertz, if it is of samples.
    return namesRate || Vocabulary.shown.whole(field.value) != nil
      || !Vocabulary.otherUnit.isIn(Vocabulary.exponent.replaced(field.value) { _ in [] })
  }

  /// The one number of a line that states a rate.
  private static func onlyRate(_ field: Field) throws(EdgeECGError) -> Double {
    let value = field.value
    let (named, numbers) = (Vocabulary.rate.all(value), Vocabulary.number.all(value))
    guard named.count == 1 || numbers.count == 1, !Vocabulary.beats.isIn(value.casefolded) else {
      let shown = Vocabulary.shown.whole(value) == nil ? "" : " (\(value.text))"
      throw EdgeECGError.recording(
        "sample rate is not a number of hertz\(shown); expected it as in '512 hertz'")
    }
    let isInKilo = named.contains(where: isKilo) || [field.key, value].contains { Vocabulary.kilo.isIn($0) }
    return number(value, (named.count == 1 ? named : numbers)[0][1]) * (isInKilo ? 1000 : 1)
  }

  private static func namedRate(_ field: Field) -> Double? {
    if Vocabulary.noSampling.isIn(field.words) || Vocabulary.noSampling.isIn(field.value.casefolded) { return nil }
    return Vocabulary.rate.search(field.value).map { number(field.value, $0[1]) * (isKilo($0) ? 1000 : 1) }
  }

  private static func isKilo(_ rate: TextPattern.Match) -> Bool {
    rate[2]?.isEmpty == false || rate[3]?.isEmpty == false
  }

  /// The seconds of a line that states the time between two samples.
  private static func interval(_ field: Field) throws(EdgeECGError) -> Double? {
    let (words, value) = (field.words, field.value)
    guard Vocabulary.anInterval.isIn(words), !Vocabulary.noSampling.isIn(words),
      Vocabulary.intervalAlone.begins(words) || Vocabulary.sampling.isIn(words)
    else { return nil }
    let found = Vocabulary.interval.search(value)
    let unit = found?[2]
    let isTimeOfDay = words.starts(with: Scalars("samp")) && words.suffix(4).elementsEqual(Scalars("time"))
    if isTimeOfDay, unit == nil { return nil }
    let count = found.map { number(value, $0[1]) } ?? 0
    guard count != 0 else { throw EdgeECGError.recording("sampling interval is not a number of seconds") }
    let inKey = words.split(separator: 0x20).map { Scalars($0) }.first { perSecond($0) != nil }
    let name = unit.map { Scalars(value[$0]).casefolded } ?? inKey
    if let first = name?.first {
      let unit = first == 0x6d ? "ms" : first == 0x6e ? "ns" : first == 0x73 ? "s" : "us"
      return count / (perSecond(Scalars(unit)) ?? 1)
    }
    let fitting = Vocabulary.perSecond.first { ECGRecording.rateRangeHz.contains($0.value / count) }
    return count / (fitting?.value ?? 1)
  }

  /// The rate of a step such as `2 msec/sample`, as AcqKnowledge writes it.
  private static func rateOfStep(_ value: Scalars) throws(EdgeECGError) -> Double? {
    guard let found = Vocabulary.step.whole(value), let unit = found[2] else { return nil }
    let step = number(value, found[1])
    guard step != 0 else { throw EdgeECGError.recording("states a step of 0 between samples") }
    let name = Scalars(value[unit]).casefolded
    return (perSecond(name.first == 0x73 ? Scalars("s") : Scalars(name.prefix(2))) ?? 1) / step
  }

  private static func perSecond(_ unit: Scalars) -> Double? {
    Vocabulary.perSecond.first { unit.elementsEqual(Scalars($0.word)) }?.value
  }

  private static func number(_ text: Scalars, _ range: Range<Int>?) -> Double {
    range.flatMap { NumberText.number(Scalars(text[$0]).text, decimalComma: true) } ?? 0
  }

  private static func shown(_ rate: Double) -> String {
    abs(rate) < 1e6 && rate == rate.rounded() ? String(Int(rate)) : rate.pythonRepr
  }

  // MARK: - Unit and time

  /// The unit's text, of the column's heading, of a line about it, or a word that only a unit is; else microvolts.
  func unit(heading: Scalars) -> String { (ofHeading(heading) ?? stated)?.text ?? "µV" }

  private func ofHeading(_ heading: Scalars) -> Scalars? {
    let words = Vocabulary.letters.all(heading).compactMap { $0[0] }.map { Scalars(heading[$0]) }
    let isUnit = { (word: Scalars) in ECGRecording.microvoltsPer(word) != nil && word.casefolded != [0x76] }
    if let known = words.last(where: isUnit) { return known }
    let bracketed = Vocabulary.bracketed.search(heading).flatMap { $0[1] }.map { Scalars(heading[$0]) }
    return bracketed.flatMap { Vocabulary.noVolts.isIn($0) ? nil : $0 }
  }

  private var stated: Scalars? {
    if let named = fields.first(where: { $0.words.isOne(of: Vocabulary.unitKeys) && !$0.value.isEmpty }) {
      return named.value
    }
    let seen = fields.compactMap { field -> Scalars? in
      if Vocabulary.noUnit.isIn((field.key + [0x20] + field.value).casefolded) { return nil }
      let word = Vocabulary.letters.all(field.value).last.flatMap { $0[0] }.map { Scalars(field.value[$0]) }
      // A lone V may be anything.
      return word.flatMap { $0.count > 1 && ECGRecording.microvoltsPer($0) != nil ? $0 : nil }
    }
    return seen.min { $0.lexicographicallyPrecedes($1) }
  }

  /// `YYYY-MM-DD HH:MM:SS ZONE`, as far as it is stated: a time with its zone, which no birth date has, or the value of
  /// a line about it.
  var recordedAt: String? {
    let about = fields.filter {
      $0.key.isOne(of: Vocabulary.recordedKeys) || Vocabulary.recordedWords.isIn($0.words)
    }
    return about.lazy.compactMap { Self.time(in: $0.value) }.first
      ?? fields.lazy.compactMap { Self.time(in: $0.value, needsZone: true) }.first
  }

  /// The first date in a text, with its time and zone where it has them.
  private static func time(in value: Scalars, needsZone: Bool = false) -> String? {
    var text = value.map { scalar in scalar.digit.map { $0 + 0x30 } ?? scalar }
    let dash: Scalars = [0x2d]
    text = Vocabulary.dayFirst.replaced(text) { found in
      Scalars([3, 2, 1].map { part(found, $0, text) }.joined(separator: dash))
    }
    text = Vocabulary.eastAsian.replaced(text) { found in
      let year = part(found, 1, text)
      let padded = Scalars(repeating: 0x30, count: max(0, 4 - year.count)) + year
      return padded + dash + part(found, 2, text) + dash + part(found, 3, text) + [0x20]
    }
    if let found = Vocabulary.recordedAt.search(text), !needsZone || found[9] != nil {
      let month = int(part(found, 2, text))
      guard let day = day(year: part(found, 1, text), month: month, day: part(found, 3, text)) else { return nil }
      guard let clock = clock(found, from: 4, text) else { return day }
      return found[9] == nil ? "\(day) \(clock)" : "\(day) \(clock) \(part(found, 9, text).text)"
    }
    guard !needsZone, let found = Vocabulary.inWords.search(text), let end = found[0]?.upperBound else { return nil }
    let name = part(found, 1, text).casefolded
    guard let month = Vocabulary.months.firstIndex(where: { name.isOne(of: [$0]) }),
      let day = day(year: part(found, 3, text), month: month + 1, day: part(found, 2, text))
    else { return nil }
    let rest = TextPattern(" at ").replaced(Scalars(text[end...])) { _ in [0x20] }
    return Vocabulary.time.search(rest).flatMap { clock($0, from: 1, rest) }.map { "\(day) \($0)" } ?? day
  }

  private static func part(_ found: TextPattern.Match, _ group: Int, _ text: Scalars) -> Scalars {
    found[group].map { Scalars(text[$0]) } ?? []
  }

  private static func int(_ digits: Scalars) -> Int { digits.reduce(0) { 10 * $0 + Int($1) - 0x30 } }

  private static func padded(_ number: Int, _ width: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  private static func day(year: Scalars, month: Int, day: Scalars) -> String? {
    guard let gregorian = ECGCalendarDay.gregorianYear(int(year)), month <= 12, int(day) <= 31 else { return nil }
    return "\(String(gregorian))-\(padded(month))-\(padded(int(day)))"
  }

  /// The time of day in 24 hours; nothing if there is none, or its half of the day is in words that are not known.
  private static func clock(_ found: TextPattern.Match, from first: Int, _ text: Scalars) -> String? {
    guard found[first + 1] != nil else { return nil }
    let half = (part(found, first, text) + part(found, first + 4, text)).filter { $0.isWord }.casefolded
    let isAfternoon = half.isOne(of: Vocabulary.afterNoon)
    if !half.isEmpty, !isAfternoon, !half.isOne(of: Vocabulary.beforeNoon) { return nil }
    var hour = int(part(found, first + 1, text))
    if !half.isEmpty { hour = hour % 12 + (isAfternoon ? 12 : 0) }
    let second = found[first + 3] == nil ? "00" : part(found, first + 3, text).text
    return hour < 24 ? "\(padded(hour)):\(part(found, first + 2, text).text):\(second)" : nil
  }
}
