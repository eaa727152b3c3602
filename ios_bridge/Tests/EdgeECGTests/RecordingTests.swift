import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// `tests/test_swift_parity.py` compares whole files with Python; these are the rules one by one.
@Suite struct RecordingTests {
  private static let values: [Double] = (0..<2500).map { index in
    let time = Double(index)
    let waves: Double = 800 * pow(sin(time / 7.3), 15) + 40 * cos(time / 90)
    return (1000 * waves).rounded() / 1000
  }

  private func signal(_ header: String, decimal: String = ".") throws -> Signal {
    let lines = Self.values.map { "\($0)".replacingOccurrences(of: ".", with: decimal) }
    return try AppleCSV.signal(Array((header + lines.joined(separator: "\n")).utf8))
  }

  static let headers: [(String, Double)] = [
    ("Sample Rate,513.625 hertz\n\n", 513.625), ("Messrate,511,422\u{a0}hertz\n\n", 511.422), ("采样率,512赫兹\n\n", 512),
    ("サンプルレート,500.5 Hz\n", 500.5), ("Частота,511,422 герц\n", 511.422), ("المعدل,٣٠٠ هرتز\n", 300),
    ("Fréquence,510,5 mesures\n", 510.5), ("", 512), ("Software,1.90\n", 512),
    ("# Sampling Rate (Hz):= 1000.00\n", 1000),
    ("Sample Rate (Hz),250\n", 250), ("fs,250\n", 250), ("sampling frequency = 0.25 kHz\n", 250), ("SR: 500\n", 500),
    ("Heart rate,112 bpm\n", 512), ("Filter,0.5 - 40 Hz\n", 512), ("sampling interval,2 ms\n", 500),
  ]

  @Test(arguments: headers)
  func theRateIsFoundInAnyLanguage(header: String, rate: Double) throws {
    let signal = try signal(header, decimal: ",")
    #expect(signal.sampleRateHz == rate)
    #expect(signal.values == Self.values)
  }

  @Test(arguments: [
    "Sampling rate,fast\n", "Sample Rate,0 hertz\n", "Sample Rate,-512 hertz\n", "fs,inf\n", "fs,nan\n",
    "sampling interval,0 ms\n", "fs,250\nSample Rate,500 hertz\n", "Serial,9,9e999 Hz\n",
  ])
  func aRateThatCannotBeReadIsRefused(header: String) {
    #expect(throws: EdgeECGError.self) { try signal(header) }
  }

  @Test(arguments: [
    ("Recorded Date,2023/10/5 8:30 PM\n", "2023-10-05 20:30:00"), ("Date de début,2023-10-05\n", nil),
    ("Start time,2566-10-05 12:00\n", "2023-10-05 12:00:00"), ("Geburtstag,1860-05-21\n", nil),
  ])
  func theDayIsFoundInOtherSpellings(header: String, day: String?) throws {
    #expect(try signal(header).recordedAt == day)
  }

  @Test func timeAndUnitAreFound() throws {
    let signal = try signal("Recorded Date,2021-12-17 12:58:58 +0800\nUnit,mV\n")
    #expect(signal.recordedAt == "2021-12-17 12:58:58 +0800")
    #expect(signal.unit == "mV")
  }

  @Test func thePersonIsInNoErrorAndNoField() throws {
    let header = "Name,Wilhelmine Einthoven\nDate of Birth,\"21.05.1860\"\nUnit,Einthoven\n"
    let told = "\(try signal(header.replacingOccurrences(of: "Unit,Einthoven", with: "Unit,mV")))"
    let error = try #require(throws: EdgeECGError.self) { try ECGRecording(signal(header), source: "a.csv") }
    for secret in ["Wilhelmine", "Einthoven", "1860"] {
      #expect(!told.contains(secret))
      #expect(!error.message.contains(secret))
    }
  }

  /// A number that no integer holds, wherever it stands, is no reason to stop.
  @Test(arguments: ["99999999999999999999 abc", "4155550123 abc", "-99999999999999999999 Hz"])
  func numbersBeyondAllIntegersAreNoRate(text: String) throws {
    #expect(try signal("Serial,\(text)\n").sampleRateHz == 512)
  }

  /// NumPy's own bytes for 1, -2, 6.1e-5 (subnormal), 65504 and infinity.
  @Test func halvesAreRead() throws {
    let header = "{\"descr\": '<f2', 'fortran_order': False, 'shape' : ( 5 , ) }\n"
    let halves: [UInt16] = [0x3c00, 0xc000, 0x03ff, 0x7bff, 0x7c00]
    let numbers = halves.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    let content = NumpyFile.magic + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + numbers
    #expect(try NumpyFile.values(content) == [1, -2, 1023.0 / 16_777_216, 65504, .infinity])
  }

  @Test func aHeaderLongerThanAnyFileIsRefused() {
    let content = NumpyFile.magic + [2, 0, 0xff, 0xff, 0xff, 0xff] + [UInt8](repeating: 32, count: 64)
    #expect(throws: EdgeECGError.self) { try NumpyFile.values(content) }
  }

  @Test func aRecordingMayHaveGaps() throws {
    var values = Self.values
    values[1200] = .nan
    #expect(try ECGRecording(samplesMicrovolts: values, sampleRateHz: 512, source: "a").samplesMicrovolts[1200].isNaN)
    values[1200] = .infinity
    #expect(throws: EdgeECGError.self) { try ECGRecording(samplesMicrovolts: values, sampleRateHz: 512, source: "a") }
    let gaps = Self.values.enumerated().map { $0 % 3 == 0 ? $1 : .nan }
    #expect(throws: EdgeECGError.self) { try ECGRecording(samplesMicrovolts: gaps, sampleRateHz: 512, source: "a") }
  }

  @Test func textNamedLikeARecordIsRead() throws {
    let folder = NSTemporaryDirectory() + "EdgeECG-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let text = Self.values.map { "\($0)" }.joined(separator: "\n")
    try text.write(toFile: folder + "/a.dat", atomically: false, encoding: .utf8)
    #expect(try ECGRecording(contentsOf: url(folder + "/a.dat")).samplesMicrovolts == Self.values)
    try "a 1 512 2500".write(toFile: folder + "/a.hea", atomically: false, encoding: .utf8)
    for name in ["a.dat", "a.hea", "a"] {
      let error = try #require(throws: EdgeECGError.self) { try ECGRecording(contentsOf: url("\(folder)/\(name)")) }
      #expect(error.message.contains("WFDB"))
    }
  }

  @Test(arguments: ["<f8", ">f8", "<f4", "<i2", ">i4", "<i8", "|i1", "|u1"])
  func npyIsRead(kind: String) throws {
    let header = "{'descr': '\(kind)', 'fortran_order': False, 'shape': (3,), }\n"
    let size = try #require(Int(kind.suffix(1)))
    let floats: [Double] = [1, 2, 100]
    let isBig = kind.hasPrefix(">")
    var numbers: [UInt8] = []
    for value in floats {
      let bits: UInt64
      switch kind.dropFirst() {
      case "f8": bits = value.bitPattern
      case "f4": bits = UInt64(Float(value).bitPattern)
      default: bits = UInt64(value)
      }
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
      numbers += isBig ? bytes.reversed() : bytes
    }
    let content = NumpyFile.magic + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + numbers
    #expect(try NumpyFile.values(content) == [1, 2, 100])
  }

  @Test(arguments: [360.0, 511.422, 512, 513.625, 1000], [1, 7, 5000])
  func chunksDoNotChangeWhatIsResampled(rate: Double, chunk: Int) throws {
    var whole = try Resampler(rateHz: rate, targetHz: 512)
    var pieces = try Resampler(rateHz: rate, targetHz: 512)
    let wanted = whole.push(Self.values) + whole.finish()
    var got: [Double] = []
    for start in stride(from: 0, to: Self.values.count, by: chunk) {
      got += pieces.push(Self.values[start...].prefix(chunk))
    }
    #expect(got + pieces.finish() == wanted)
    #expect(abs(Double(wanted.count) - Double(Self.values.count) * 512 / rate) < 3)
  }

  @Test func theCubicIsExactForCubics() throws {
    let cubic = { (t: Double) in 3 * t * t * t - 2 * t * t + t - 5 }
    var resampler = try Resampler(rateHz: 300, targetHz: 512)
    let resampled = resampler.push((0..<300).map { cubic(Double($0) / 300) }) + resampler.finish()
    let wanted = resampled.indices.map { cubic(Double($0) / 512) }
    #expect(distance(resampled, wanted) < 1e-12)
  }

  @Test(arguments: [0, -1, .infinity, .nan, 1e9])
  func aRateThatNoSensorHasIsRefused(rate: Double) {
    #expect(throws: EdgeECGError.self) { try Resampler(rateHz: rate, targetHz: 512) }
  }

  @Test func gapsAreBridged() {
    #expect(interpolated([.nan, 1, .nan, .nan, 4, .nan]) == [1, 1, 2, 3, 4, 4])
    #expect(interpolated([1, 2]) == [1, 2])
    #expect(interpolated([.nan, .nan]).contains { !$0.isNaN } == false)
  }
}
