import Foundation

@testable import EdgeECG
@testable import EdgeECGCore

/// The files that `python -m tests.golden` wrote.
enum Golden {
  static let folder = (Bundle.module.resourcePath ?? Bundle.module.bundlePath) + "/Golden"
  static let bundlePath = folder + "/bundle"
  static let recordings = ["plain", "german", "inverted", "late", "again", "looped", "jittered", "spliced"]

  static func bundle() throws -> ECGBundle { try ECGBundle(contentsOf: url(bundlePath)) }

  static func bytes(_ path: String) -> [UInt8] { FileManager.default.contents(atPath: path).map { [UInt8]($0) } ?? [] }

  static func vector(_ name: String) throws -> JSONValue {
    let golden = try JSONValue(parsing: bytes(folder + "/golden.json"))
    return golden["recordings"]?[name] ?? .null
  }

  static func recording(_ name: String) throws -> ECGRecording {
    try ECGRecording(contentsOf: url("\(folder)/\(name).csv"))
  }

  static func ofThreeDates() throws -> [ECGRecording] { try ["plain", "german", "inverted"].map(recording) }

  /// The bytes of the contract in the golden manifest, whose entries are in the order of their names.
  static func contractText() -> [UInt8] {
    let text = String(decoding: bytes(bundlePath + "/manifest.json"), as: UTF8.self)
    let start = text.range(of: "\"contract\": ")?.upperBound ?? text.startIndex
    let end = text.range(of: ",\n \"files\"")?.lowerBound ?? text.endIndex
    return Array(text[start..<end].utf8)
  }

  static func contract() throws -> JSONValue {
    try JSONValue(parsing: bytes(bundlePath + "/manifest.json"))["contract"] ?? .null
  }
}

func url(_ path: String) -> URL { URL(fileURLWithPath: path) }

extension JSONValue {
  var doubles: [Double] { items?.compactMap(\.double) ?? [] }
}

/// The largest difference; infinite for lists of different lengths.
func distance(_ a: [Double], _ b: [Double]) -> Double {
  a.count == b.count ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
}

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
