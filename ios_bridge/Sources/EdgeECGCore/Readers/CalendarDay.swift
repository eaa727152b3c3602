/// A day of the calendar, such as 2024-03-01: all that a bundle asks of a recording's time.
public struct ECGCalendarDay: Hashable, Sendable, CustomStringConvertible {
  private static let digits = [0, 1, 2, 3, 5, 6, 8, 9]

  /// 1 is 0001-01-01, as Python's `date.toordinal` counts.
  package let ordinal: Int
  /// As ISO 8601 writes it: `2024-03-01`.
  public let description: String

  /// The first `2024-03-01` in a text that is a day; nothing if there is none, or its calendar is not known.
  public init?(in text: String) {
    let bytes = Array(text.utf8)
    let isDigit = { (index: Int) in bytes.indices.contains(index) && (0x30...0x39).contains(bytes[index]) }
    for start in 0..<max(0, bytes.count - 9) where !isDigit(start - 1) && !isDigit(start + 10) {
      let found = bytes[start..<start + 10]
      let isDate = (0..<10).allSatisfy { place in
        Self.digits.contains(place) ? isDigit(start + place) : found[start + place] == UInt8(ascii: "-")
      }
      guard isDate else { continue }
      let numbers = found.split(separator: UInt8(ascii: "-")).map { $0.reduce(0) { 10 * $0 + Int($1) - 0x30 } }
      if let day = ECGCalendarDay(year: numbers[0], month: numbers[1], day: numbers[2]) {
        self = day
        return
      }
    }
    return nil
  }

  /// A day by its numbers, of the Gregorian calendar or of one that has the same months and days.
  init?(year: Int, month: Int, day: Int) {
    guard let gregorian = Self.gregorianYear(year), let ordinal = Self.ordinal(year: gregorian, month: month, day: day)
    else { return nil }
    let padded = { (number: Int, width: Int) in
      String(repeating: "0", count: max(0, width - String(number).utf8.count)) + String(number)
    }
    self.ordinal = ordinal
    description = [padded(gregorian, 4), padded(month, 2), padded(day, 2)].joined(separator: "-")
  }

  /// A phone that is set to the Buddhist calendar (2566), the Japanese one (5, of Reiwa) or Taiwan's (112) writes its
  /// years. Others have other months as well.
  static func gregorianYear(_ year: Int) -> Int? {
    switch year {
    case 1970...2200: year
    case 2513...2743: year - 543
    case 1...59: year + 2018
    case 100...189: year + 1911
    default: nil
    }
  }

  private static func ordinal(year: Int, month: Int, day: Int) -> Int? {
    let isLeap = year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year > 0, (1...12).contains(month), (1...lengths[month - 1]).contains(day) else { return nil }
    let before = year - 1
    let years = 365 * before + before / 4 - before / 100 + before / 400
    return years + lengths.prefix(month - 1).reduce(0, +) + day
  }
}
