/// A recording as text: what Apple's Health app exports, in any language, or a bare column of numbers.
///
/// Nothing here keeps or repeats the person's name or birth date. No error shows text of the file but a line of the
/// values that is made of numbers alone.
enum AppleCSV {
  private static let mostOfCounter = 1e11  // a count of milliseconds since 1970 is above it, one of rows is not

  /// A line of the values, and its number in the file.
  private struct Row {
    let number: Int
    let text: String
  }

  /// The signal in the bytes of an Apple ECG file, or of a column of numbers with any header or none.
  ///
  /// The values begin at the first line made of numbers, and nothing else may follow. The header is searched by
  /// known keys, then by structure (a number of hertz, a unit, a timestamp with its zone), in any order; without a
  /// rate it is 512 Hz, without a unit microvolts. A comma is a decimal mark, or follows an index that counts
  /// lines from any number on: the whole file decides.
  static func signal(_ content: [UInt8]) throws(EdgeECGError) -> Signal {
    let (text, isUnicode) = TextDecoding.decoded(content)
    let file = try TextLines(text)
    guard let start = file.lines.firstIndex(where: { isNumeric($0, in: file) }),
      case let head = file.text[..<file.lines[start].bytes.lowerBound],
      head.count(where: { $0 & 0xc0 != 0x80 }) < Vocabulary.mostHeaderCharacters
    else {
      throw EdgeECGError.recording("no line is a number; expected an Apple ECG file or one value a line")
    }
    let above = file.lines[..<start].map { withoutQuotes(plain(file.string($0))) }
    let header = AppleHeader(above)
    guard isUnicode || header.namesRate else {  // in Cyrillic or Chinese, say, its rate would be overlooked
      throw EdgeECGError.recording("is in an older encoding than Unicode, and names no rate; save it as UTF-8")
    }
    let rate = try header.sampleRateHz()
    let (values, separator) = try values(file.lines[start...], in: file)
    let unit = header.unit(heading: heading(above, behind: separator))
    return Signal(
      values: values, unit: unit, microvoltsPerUnit: ECGRecording.microvoltsPer(Scalars(unit)), sampleRateHz: rate,
      recordedAt: header.recordedAt)
  }

  /// As PhysioNet quotes.
  private static func withoutQuotes(_ line: String) -> String {
    guard line.utf8.first == 0x27 else { return line }
    return String(line.unicodeScalars.filter { $0 != "'" })
  }

  /// The name above the values, perhaps its unit in a line below; empty where there is none.
  ///
  /// - Parameter separator: what comes before the values, where the rows are counted.
  private static func heading(_ header: [String], behind separator: Unicode.Scalar?) -> Scalars {
    let marks = Scalars(" #'")
    guard let separator else {
      let last = Scalars(header.last ?? "")
      return last.contains { Scalars(",;:=\t").contains($0) } ? [] : last.trimmed(of: marks)
    }
    let names = header.suffix(3).map { Scalars($0).split(separator: separator.value, omittingEmptySubsequences: false) }
    return Scalars(names.filter { $0.count == 2 }.map { Scalars($0[1]).trimmed(of: marks) }.joined(separator: [0x20]))
  }

  private static func isNumeric(_ line: TextLines.Line, in file: TextLines) -> Bool {
    let lettersOfNumbers = Array("naifityed".utf8) + Array("lead".utf8)  // nan, infinity, an exponent, and `Lead I`
    let isOther = { (byte: UInt8) in (0x61...0x7a).contains(byte | 0x20) && !lettersOfNumbers.contains(byte | 0x20) }
    if file.text[line.bytes].contains(where: isOther) { return false }
    return NumberText.isNumericLine(plain(file.string(line)))
  }

  /// One spelling for spaces, wide digits, minus and micro signs; no quotes, no marks that nobody sees.
  static func plain(_ text: String) -> String {
    var plain = String.UnicodeScalarView()
    let isASCII = text.utf8.allSatisfy { $0 < 128 }
    for scalar in (isASCII ? text : compatible(text)).unicodeScalars {
      switch scalar {
      case "\u{2212}": plain.append("-")  // minus sign
      case "\u{66b}": plain.append(",")  // Arabic decimal separator
      case "\"", "\u{200e}", "\u{200f}", "\u{61c}", "\u{feff}": break
      default: plain.append(scalar)
      }
    }
    return withoutLead(String(plain))
  }

  /// The compatibility form (NFKC) of what a number or a unit may be spelled with.
  private static func compatible(_ text: String) -> String {
    var plain = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0xa0, 0x2000...0x200a, 0x202f, 0x205f, 0x3000: plain.append(" ")
      case 0xb5: plain.append("\u{3bc}")
      case 0xff01...0xff5e: plain.append(Unicode.Scalar(scalar.value - 0xfee0) ?? scalar)
      case 0x3390: plain.append(contentsOf: "Hz".unicodeScalars)
      case 0x3391: plain.append(contentsOf: "kHz".unicodeScalars)
      case 0x33b6: plain.append(contentsOf: "\u{3bc}V".unicodeScalars)
      case 0x33b7: plain.append(contentsOf: "mV".unicodeScalars)
      default: plain.append(scalar)
      }
    }
    return String(plain)
  }

  /// Where the columns are `Lead,Voltage`, `Lead I` stands before each value.
  private static func withoutLead(_ text: String) -> String {
    guard let first = text.unicodeScalars.first, "lLiI".unicodeScalars.contains(first) else { return text }
    let folded = Scalars(text).casefolded
    for lead in ["lead i", "i"] where folded.starts(with: Scalars(lead)) {
      let rest = text.unicodeScalars.dropFirst(lead.unicodeScalars.count)
      if let separator = rest.first, [",", ";", "\t"].contains(separator) { return String(rest.dropFirst()) }
    }
    return text
  }

  /// The numbers of the lines: at once where they are plain, else with patience.
  ///
  /// - Returns: them, and what comes before each where the lines are counted.
  private static func values(
    _ lines: ArraySlice<TextLines.Line>, in file: TextLines
  ) throws(EdgeECGError) -> (values: [Double], separator: Unicode.Scalar?) {
    let plain =
      plainColumn(lines, in: file, mark: UInt8(ascii: ".")) ?? plainColumn(lines, in: file, mark: UInt8(ascii: ","))
    if let plain { return (plain, nil) }
    let (values, separator) = try patientValues(lines.map { Row(number: $0.number, text: file.string($0)) })
    if let first = values.firstIndex(where: { !$0.isFinite }) {
      let line = lines[lines.startIndex + first].number
      throw EdgeECGError.recording("line \(line) is \(values[first].pythonRepr), not a finite number")
    }
    return (values, separator)
  }

  /// The numbers, if each line is digits with one `mark` at most, and a comma can't be the end of an index.
  private static func plainColumn(
    _ lines: ArraySlice<TextLines.Line>, in file: TextLines, mark: UInt8
  ) -> [Double]? {
    var (values, ups, before): ([Double], Int, Double) = ([], 0, .infinity)
    values.reserveCapacity(lines.count)
    for line in lines {
      guard let number = file.plainNumber(line, mark: mark) else { return nil }
      values.append(number.value)
      if number.whole > before { ups += 1 }
      before = number.whole
    }
    return mark == UInt8(ascii: ",") && areMost(ups, of: lines.count - 1) ? nil : values
  }

  /// The numbers of lines with decimal commas or an index, or the error that names the first bad line.
  private static func patientValues(
    _ rows: [Row]
  ) throws(EdgeECGError) -> (values: [Double], separator: Unicode.Scalar?) {
    let plain = rows.map { row in
      Row(number: row.number, text: withoutEmptyColumns(Self.plain(row.text)))
    }
    let (column, separator) = try withoutIndex(plain)
    let hasPoints = column.contains { $0.utf8.contains(UInt8(ascii: ".")) }
    let values = try zip(plain, column).map { row, text throws(EdgeECGError) -> Double in
      if hasPoints, text.utf8.contains(UInt8(ascii: ",")) {
        throw EdgeECGError.recording("line \(row.number)\(shown(row.text)) has a comma; others have points")
      }
      if let value = NumberText.number(text, decimalComma: true) { return value }
      throw EdgeECGError.recording(
        NumberText.isNumericLine(row.text)
          ? "line \(row.number)\(shown(row.text)) is not one number"
          : "line \(row.number) is text, and the values began before it")
    }
    return (values, separator)
  }

  /// A spreadsheet pads each line to the header's width.
  private static func withoutEmptyColumns(_ text: String) -> String {
    var scalars = text.unicodeScalars
    while let last = scalars.last, [",", ";", "\t", " "].contains(last) { scalars.removeLast() }
    return String(scalars)
  }

  /// The lines without a first column that counts them, from any number on; all of each line where there is none.
  private static func withoutIndex(
    _ rows: [Row]
  ) throws(EdgeECGError) -> (texts: [String], separator: Unicode.Scalar?) {
    for separator: Unicode.Scalar in [";", "\t", ",", " "] {
      let ends = rows.map { $0.text.unicodeScalars.firstIndex(of: separator) }
      guard ends.contains(where: { $0 != nil }) else { continue }
      var first: [Double] = []
      for (row, end) in zip(rows, ends) {
        let head = end.map { String(row.text.unicodeScalars[..<$0]) } ?? row.text
        guard let number = NumberText.number(head, decimalComma: true) else { break }
        first.append(number)
      }
      guard first.count == rows.count, climbs(first) else { continue }
      // A counter is no clock; but what is above the milliseconds since 1970 may be one.
      let counts = first[0] == first[0].rounded() && abs(first[0]) < mostOfCounter
      let start =
        counts && zip(first, first.dropFirst()).allSatisfy({ $1 - $0 == 1 }) ? first[0] : first[0] == 1 ? 1 : 0
      if let wrong = first.indices.first(where: { first[$0] != Double($0) + start }) {
        throw EdgeECGError.recording(
          "line \(rows[wrong].number)\(shown(rows[wrong].text)) may be two columns or one number: "
            + "the first part climbs from line to line, but does not count 0, 1, 2")
      }
      let texts = zip(rows, ends).map { row, end in
        end.map { String(row.text.unicodeScalars[$0...].dropFirst()) } ?? ""
      }
      return (texts, separator)
    }
    return (rows.map { $0.text }, nil)
  }

  /// Whether nearly all steps go up, as in an index or in times, even damaged ones; in an ECG half do.
  private static func climbs(_ column: [Double]) -> Bool {
    guard column.count > 1 else { return false }
    return areMost(zip(column, column.dropFirst()).count { $1 - $0 > 0 }, of: column.count - 1)
  }

  private static func areMost(_ ups: Int, of steps: Int) -> Bool {
    steps > 0 && Double(ups) / Double(steps) > 0.9  // chosen: far from the half of an ECG, and a tenth may be damaged
  }

  /// The line for an error message, if it can be nothing but numbers (a date, say, is not).
  private static func shown(_ row: String) -> String {
    let parts = row.unicodeScalars.split(omittingEmptySubsequences: false) { [",", ";", "\t"].contains($0) }
    let areNumbers = parts.enumerated().allSatisfy { index, part in
      let text = String(index == 0 ? part[...] : part.drop { $0.value.isSpace })
      return text.isEmpty || NumberText.isShowable(text)
    }
    return areNumbers ? " ('\(String(String.UnicodeScalarView(row.unicodeScalars.prefix(20))))')" : ""
  }
}
