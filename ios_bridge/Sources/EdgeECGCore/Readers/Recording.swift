/// One lead of ECG as it was recorded.
///
/// The person's name and birth date, which Apple writes into each file, go no further than this door.
public struct ECGRecording: Hashable, Sendable {
  /// The shortest that is judged: the first 3 s settle; less than 1 s after them holds no beat.
  package static let minDurationSeconds = 4.0
  /// The rates that are read.
  package static let rateRangeHz = 100.0...2000.0
  static let settleSeconds = 3.0
  static let leastPresent = 0.5  // the runtime knows gaps, but a recording is more than gaps
  static let defaultRateHz = 512.0
  static let mostMicrovolts = 1e6  // electrodes on skin give a few millivolts on some hundreds of offset, never 1 V
  static let leastSpanMicrovolts = 20.0  // an ECG spans hundreds; the same numbers in millivolts span less than this

  /// Microvolts, as recorded; a missing sample is NaN.
  public let samplesMicrovolts: [Double]
  /// As recorded, e.g. 511.422.
  public let sampleRateHz: Double
  /// Where it came from, as the user gave it.
  public let source: String
  /// The header's own text, e.g. `2021-12-17 12:58:58 +0800`.
  public let recordedAt: String?

  /// Length in seconds, on the recording's own clock.
  public var durationSeconds: Double { Double(samplesMicrovolts.count) / sampleRateHz }

  /// A recording of these samples, if it can be one. A missing sample is NaN: the watch bridges short gaps.
  /// - Throws: ``EdgeECGError/recording(_:)`` if a value is infinite or half of them are missing, the rate is outside
  ///   100 to 2000 Hz, it lasts less than 4 s, or it can't be an ECG in microvolts.
  public init(
    samplesMicrovolts: [Double], sampleRateHz: Double, source: String, recordedAt: String? = nil
  ) throws(EdgeECGError) {
    let signal = Signal(values: samplesMicrovolts, unit: "µV", sampleRateHz: sampleRateHz, recordedAt: recordedAt)
    try self.init(signal, source: source)
  }

  /// What a file said, judged and converted to microvolts.
  init(_ signal: Signal, source: String) throws(EdgeECGError) {
    let values = signal.values
    guard values.count >= 2 else {
      throw EdgeECGError.recording("holds \(values.isEmpty ? "no values" : "1 value"); expected a recording")
    }
    guard Self.rateRangeHz.contains(signal.sampleRateHz) else {
      let why = signal.sampleRateHz < 100 ? "; at a lower one R peaks and T waves are placed too roughly" : ""
      throw EdgeECGError.recording("sample rate is \(signal.sampleRateHz) Hz; expected 100 to 2000 Hz\(why)")
    }
    let duration = Double(values.count) / signal.sampleRateHz
    guard duration >= Self.minDurationSeconds else {
      throw EdgeECGError.recording(
        "lasts \((duration * 10).rounded(.down) / 10) s; at least 4 s are needed: the first 3 s settle")
    }
    try Self.requireFinite(values)
    samplesMicrovolts = try Self.microvolts(values, unit: signal.unit, scale: signal.microvoltsPerUnit)
    sampleRateHz = signal.sampleRateHz
    recordedAt = signal.recordedAt
    self.source = source
  }

  private static func requireFinite(_ values: [Double]) throws(EdgeECGError) {
    if let first = values.firstIndex(where: { $0.isInfinite }) {
      throw EdgeECGError.recording("value \(first + 1) is \(values[first].pythonRepr), not a finite number")
    }
    let missing = values.count { $0.isNaN }
    guard Double(missing) <= (1 - leastPresent) * Double(values.count) else {
      throw EdgeECGError.recording("\(missing) of its \(values.count) samples are missing; expected most of them")
    }
  }

  private static func microvolts(
    _ values: [Double], unit: String, scale: Double?
  ) throws(EdgeECGError) -> [Double] {
    guard let scale else {
      throw EdgeECGError.recording("unit is not known; expected µV, mV or V")  // of a damaged header, it may be a name
    }
    let largest = scale * values.reduce(0) { abs($1) > $0 ? abs($1) : $0 }
    guard largest <= mostMicrovolts else {
      throw EdgeECGError.recording(
        "reaches \(largest / 1e6) V; no ECG exceeds 1 V, so the values can't be in \(unit)")
    }
    let present = values.filter { !$0.isNaN }
    let span = scale * ((present.max() ?? 0) - (present.min() ?? 0))
    guard span == 0 || span >= leastSpanMicrovolts else {  // a flat line is a matter of quality, not of units
      throw EdgeECGError.recording(
        "spans only \(span) µV if its values are in \(unit); an ECG spans hundreds, "
          + "so they are surely in \(scale == 1 ? "millivolts" : "a larger unit")")
    }
    return values.map { $0 * scale }
  }
}

/// What a file says, before it is judged and converted to microvolts.
struct Signal: Sendable {
  var values: [Double]
  var unit = "µV"
  var microvoltsPerUnit: Double? = 1  // nothing for a unit that is not known
  var sampleRateHz = ECGRecording.defaultRateHz
  var recordedAt: String?
}
