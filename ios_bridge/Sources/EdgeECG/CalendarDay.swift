/// A day of the calendar, such as 2024-03-01: all that a bundle asks of a recording's time.
public struct CalendarDay: Hashable, Sendable, CustomStringConvertible {
  private static let digits = [0, 1, 2, 3, 5, 6, 8, 9]

  /// 1 is 0001-01-01, as Python's `date.toordinal` counts.
  public let ordinal: Int
  /// As it was written: `2024-03-01`.
  public let description: String

  /// The first `2024-03-01` in a text; nothing if there is none, or if no calendar has that day.
  public init?(in text: String) {
    let bytes = Array(text.utf8)
    let found = (0..<max(0, bytes.count - 9)).map { bytes[$0..<$0 + 10] }.first { part in
      part.enumerated().allSatisfy { index, byte in
        Self.digits.contains(index) ? (0x30...0x39).contains(byte) : byte == UInt8(ascii: "-")
      }
    }
    guard let found else { return nil }
    let numbers = found.split(separator: UInt8(ascii: "-")).map { $0.reduce(0) { 10 * $0 + Int($1) - 0x30 } }
    guard let day = Self.ordinal(year: numbers[0], month: numbers[1], day: numbers[2]) else { return nil }
    ordinal = day
    description = String(decoding: found, as: UTF8.self)
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

extension Recording {
  /// The day it was recorded on: as the header says it, or else the file's name, which in Apple's export does.
  public var day: CalendarDay? {
    let name = source.split(separator: "/").last.map(String.init) ?? ""
    return recordedAt.flatMap { CalendarDay(in: String($0.prefix(10))) } ?? CalendarDay(in: name)
  }
}
