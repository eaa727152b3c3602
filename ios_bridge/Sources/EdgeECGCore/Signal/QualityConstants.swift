/// What makes a beat unusable; ``Quality`` says how each number is used. Counts are samples at the contract's rate.
package struct QualityConstants: Hashable, Sendable {
  /// A gap up to this is interpolated by a straight line.
  package let interpolated: Int
  /// No converter holds one value for so long on skin.
  package let held: Int
  /// Held values differ by at most this.
  package let heldMicrovolts: Double
  /// So many samples at the top or bottom of a QRS are a rail ...
  package let clipped: Int
  /// ... if they are within this part of the span.
  package let clippedPart: Double
  /// ... and only a deflection of more than this part of the span has a rail to hit.
  package let railPart: Double
  /// A smaller span is no heartbeat.
  package let leastSpanMicrovolts: Double
  /// A larger one is none either.
  package let mostSpanMicrovolts: Double
  /// No electrode on skin has a larger offset.
  package let mostOffsetMicrovolts: Double
  /// Noise (root mean square) may be this part of the QRS.
  package let noisePart: Double
  /// Noise is what a sample differs from the mean of the two this far off.
  package let noiseLag: Int
  /// The baseline may move by this part of the QRS from one end of the beat to the other.
  package let wanderPart: Double
  /// Samples at either end of a beat whose mean is the baseline there.
  package let baseline: Int
  /// R points to where the mean of so many samples on either side of it lies.
  package let rSide: Int
  /// The QRS ends this long after R.
  package let qrs: Int
  /// No RR interval is shorter.
  package let rrMin: Int
  /// No RR interval of a usable beat is longer.
  package let rrMax: Int

  /// - Parameters beforeR, afterR: the beat's window, which the counts must fit.
  init(_ json: JSONValue, name: String, beforeR: Int, afterR: Int) throws(EdgeECGError) {
    var entries = try ContractEntries(json, name: name)
    interpolated = try entries.count("interpolated")
    held = try entries.integer("held", in: 1...ContractEntries.most)
    heldMicrovolts = try entries.number("held_uv", in: 0...1e9)
    clipped = try entries.integer("clipped", in: 1...ContractEntries.most)
    clippedPart = try entries.number("clipped_part", in: 0...1)
    railPart = try entries.number("rail_part", in: 0...1)
    leastSpanMicrovolts = try entries.number("least_span_uv", in: 0...1e9)
    mostSpanMicrovolts = try entries.number("most_span_uv", in: leastSpanMicrovolts...1e9)
    mostOffsetMicrovolts = try entries.number("most_offset_uv", in: 0...1e9)
    noisePart = try entries.number("noise_part", in: 0...1000)
    qrs = try entries.integer("qrs", from: 1, to: min(beforeR, afterR - 3))
    noiseLag = try entries.integer("noise_lag", from: 1, to: (afterR - qrs - 1) / 2)
    wanderPart = try entries.number("wander_part", in: 0...1000)
    baseline = try entries.integer("baseline", in: 1...(beforeR + afterR))
    rSide = try entries.integer("r_side", from: 0, to: min(beforeR, afterR - 1))
    rrMin = try entries.count("rr_min")
    rrMax = try entries.integer("rr_max", from: rrMin, to: 100_000)
    try entries.requireNoOthers()
  }
}
