import Foundation

/// A recording as text: what Apple's Health app exports, in any language, or a bare column of numbers.
///
/// Nothing here keeps or repeats the person's name or birth date. No error shows text of the file: of the header at
/// most a unit's one word, of the values a line that is made of numbers alone.
enum AppleCSV {
  /// A line that is not empty, and its number in the file.
  struct Row: Sendable {
    let number: Int
    let text: String
  }

  /// The signal in the bytes of an Apple ECG file, or of a column of numbers with any header or none.
  ///
  /// The values begin at the first line made of numbers, and nothing else may follow. The header is searched by
  /// known keys, then by structure (a number of hertz, a unit, a timestamp with its zone), in any order; without a
  /// rate it is 512 Hz, without a unit microvolts. A comma is a decimal mark, or follows an index that counts
  /// 0, 1, 2: the whole file decides.
  static func signal(_ content: [UInt8]) throws -> Signal {
    let (text, isUnicode) = TextDecoding.decoded(content)
    let rows = try rows(text)
    guard let start = rows.firstIndex(where: { NumberText.isNumericLine(plain($0.text)) }) else {
      throw EdgeECGError.recording("no line is a number; expected an Apple ECG file or one value a line")
    }
    let header = AppleHeader(rows[..<start].map { plain($0.text) })
    guard isUnicode || header.namedRate != nil else {  // in Cyrillic or Chinese, say, its rate would be overlooked
      throw EdgeECGError.recording("is in an older encoding than Unicode, and names no rate; save it as UTF-8")
    }
    return Signal(
      values: try values(rows[start...]), unit: header.unit, sampleRateHz: try header.sampleRateHz(),
      recordedAt: header.recordedAt)
  }

  private static func rows(_ text: String) throws -> [Row] {
    if text.unicodeScalars.contains(where: { $0.value < 9 || (14..<32).contains($0.value) }) {
      throw EdgeECGError.recording("holds binary data; expected text, an Apple ECG file or one value a line")
    }
    var rows: [Row] = []
    var number = 0
    var line = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    func end() {
      number += 1
      let text = NumberText.trimmed(String(line))
      if !text.isEmpty { rows.append(Row(number: number, text: text)) }
      line.removeAll(keepingCapacity: true)
    }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n" where previous == "\r": break
      case "\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}": end()
      default: line.append(scalar)
      }
      previous = scalar
    }
    end()
    return rows
  }

  /// One spelling for spaces, wide digits, minus and micro signs; no quotes, no marks that nobody sees.
  static func plain(_ text: String) -> String {
    var plain = String.UnicodeScalarView()
    let isASCII = text.utf8.allSatisfy { $0 < 128 }
    for scalar in (isASCII ? text : text.precomposedStringWithCompatibilityMapping).unicodeScalars {
      switch scalar {
      case "\u{2212}": plain.append("-")  // minus sign
      case "\u{66b}": plain.append(",")  // Arabic decimal separator
      case "\"", "\u{200e}", "\u{200f}", "\u{61c}", "\u{feff}": break
      default: plain.append(scalar)
      }
    }
    return withoutLead(String(plain))
  }

  /// Where the columns are `Lead,Voltage`, `Lead I` stands before each value.
  private static func withoutLead(_ text: String) -> String {
    guard let first = text.unicodeScalars.first, "lLiI".unicodeScalars.contains(first) else { return text }
    for lead in ["lead i", "i"] where text.lowercased().hasPrefix(lead) {
      let rest = text.unicodeScalars.dropFirst(lead.unicodeScalars.count)
      if let separator = rest.first, [",", ";", "\t"].contains(separator) { return String(rest.dropFirst()) }
    }
    return text
  }

  /// The numbers of the lines: at once where they are plain, else with patience.
  private static func values(_ rows: ArraySlice<Row>) throws -> [Double] {
    let values = try plainColumn(rows) ?? patientValues(rows)
    if let first = values.firstIndex(where: { !$0.isFinite }) {
      let line = rows[rows.startIndex + first].number
      throw EdgeECGError.recording("line \(line) is \(values[first].pythonRepr), not a finite number")
    }
    return values
  }

  private static func plainColumn(_ rows: ArraySlice<Row>) -> [Double]? {
    var values: [Double] = []
    values.reserveCapacity(rows.count)
    for row in rows {
      guard row.text.unicodeScalars.allSatisfy({ "-+eE.".unicodeScalars.contains($0) || NumberText.isDigit($0) }),
        let value = NumberText.number(row.text)
      else { return nil }
      values.append(value)
    }
    return values
  }

  /// The numbers of lines with decimal commas or an index, or the error that names the first bad line.
  private static func patientValues(_ rows: ArraySlice<Row>) throws -> [Double] {
    let plain = rows.map { row in
      Row(number: row.number, text: withoutEmptyColumns(Self.plain(row.text)))
    }
    let column = try withoutIndex(plain)
    let hasPoints = column.contains { $0.utf8.contains(UInt8(ascii: ".")) }
    return try zip(plain, column).map { row, text in
      if hasPoints, text.utf8.contains(UInt8(ascii: ",")) {
        throw EdgeECGError.recording("line \(row.number)\(shown(row.text)) has a comma; others have points")
      }
      if let value = NumberText.number(text, decimalComma: true) { return value }
      throw EdgeECGError.recording(
        NumberText.isNumericLine(row.text)
          ? "line \(row.number)\(shown(row.text)) is not one number"
          : "line \(row.number) is text, and the values began before it")
    }
  }

  /// A spreadsheet pads each line to the header's width.
  private static func withoutEmptyColumns(_ text: String) -> String {
    var scalars = text.unicodeScalars
    while let last = scalars.last, [",", ";", "\t", " "].contains(last) { scalars.removeLast() }
    return String(scalars)
  }

  /// The lines without a first column that counts from 0 or 1; all of each line where there is none.
  private static func withoutIndex(_ rows: [Row]) throws -> [String] {
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
      let start = first[0] == 1 ? 1.0 : 0.0
      if let wrong = first.indices.first(where: { first[$0] != Double($0) + start }) {
        throw EdgeECGError.recording(
          "line \(rows[wrong].number)\(shown(rows[wrong].text)) may be two columns or one number: "
            + "the first part climbs from line to line, but does not count 0, 1, 2")
      }
      return zip(rows, ends).map { row, end in
        end.map { String(row.text.unicodeScalars[$0...].dropFirst()) } ?? ""
      }
    }
    return rows.map(\.text)
  }

  /// Whether nearly all steps go up, as in an index or in times, even damaged ones; in an ECG half do.
  private static func climbs(_ column: [Double]) -> Bool {
    guard column.count > 1 else { return false }
    let ups = zip(column, column.dropFirst()).count { $1 - $0 > 0 }
    return Double(ups) / Double(column.count - 1) > 0.9
  }

  /// The line for an error message, if it can be nothing but numbers (a date, say, is not).
  private static func shown(_ row: String) -> String {
    let parts = row.unicodeScalars.split(omittingEmptySubsequences: false) { [",", ";", "\t"].contains($0) }
    let areNumbers = parts.enumerated().allSatisfy { index, part in
      let text = String(index == 0 ? part[...] : part.drop { $0.properties.isWhitespace })
      return text.isEmpty || NumberText.isShowable(text)
    }
    return areNumbers ? " ('\(String(String.UnicodeScalarView(row.unicodeScalars.prefix(20))))')" : ""
  }
}
