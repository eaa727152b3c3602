import Testing

@testable import EdgeECG
@testable import EdgeECGCore

@Suite struct JSONTests {
  @Test(arguments: [
    "", "{", "[", "[1,]", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "1e", "nul", "truefalse", "\"", "\"\\x\"",
    "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\u12g4\"", "\"a\u{1}\"", "[1] 2", "NaN", "Infinity", "{\"a\":1,\"a\":2}",
    "-", "--1", "1e+", "[1 2]", "{\"a\" 1}", "\u{feff}{}",
  ])
  func brokenTextIsRefused(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
  }

  @Test func bytesThatAreNotUTF8AreRefused() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xff, 0x22]) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xc0, 0x80, 0x22]) }
  }

  @Test func depthIsLimited() throws {
    let nested = { (levels: Int) in Array((String(repeating: "[", count: levels) + "]").utf8) }
    let fits = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    _ = try JSONValue(parsing: Array(fits.utf8))
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(65)) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(1_000_000)) }
  }

  @Test func valuesAreRead() throws {
    let json = try JSONValue(
      parsing: Array(#" {"a": [1, -2.5e3, "\u00e9\ud83d\ude00\n/"], "b": null, "c": true} "#.utf8))
    #expect(json["a"]?.items?[0].integer == 1)
    #expect(json["a"]?.items?[1].double == -2500)
    #expect(json["a"]?.items?[2].text == "é😀\n/")
    #expect(json["b"] == .null)
    #expect(json["c"] == .bool(true))
    #expect(json["d"] == nil)
    #expect(try JSONValue(parsing: Array("99999999999999999999".utf8)).integer == nil)
    #expect(try JSONValue(parsing: Array("1e999".utf8)).double == nil)
  }

  /// Pairs of a number and Python's `repr` of it.
  static let spellings: [(Double, String)] = [
    (0.1, "0.1"), (1.0, "1.0"), (-2.5, "-2.5"), (1e16, "1e+16"), (123456789012345680.0, "1.2345678901234568e+17"),
    (1e15, "1000000000000000.0"), (0.0001, "0.0001"), (0.00001, "1e-05"), (1.5e-7, "1.5e-07"), (1e100, "1e+100"),
    (.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"), (-0.0, "-0.0"),
    (100.0, "100.0"),
    (0.30000000000000004, "0.30000000000000004"), (12345.678, "12345.678"), (9999999999999998.0, "9999999999999998.0"),
  ]

  @Test(arguments: spellings)
  func numbersAreSpelledAsInPython(number: Double, text: String) {
    #expect(number.pythonRepr == text)
  }
}
