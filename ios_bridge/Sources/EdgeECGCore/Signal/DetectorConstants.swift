/// What the R-peak detector needs to know; counts are samples at the contract's rate.
package struct DetectorConstants: Hashable, Sendable {
  /// The band-pass, as second-order sections.
  package let bandpassSections: [Bandpass.Section]
  /// A step between samples times this matches the sample, in the middle of the band.
  package let quadratureGain: Double
  /// A lower envelope is no QRS, in microvolts.
  package let faintestMicrovolts: Double
  /// Of two candidates closer than this the higher is kept.
  package let refractory: Int
  /// The first samples with a candidate teach the levels; their peaks come out then.
  package let learning: Int
  /// The first level is the highest candidate, but at most this many times the second highest.
  package let transient: Double
  /// The signal level is the median height of this many QRS.
  package let levelBeats: Int
  /// A QRS counts for at most this many times the level.
  package let cap: Double
  /// Noise level, mean RR and the vote on R's side move by this part of the difference.
  package let adaptation: Double
  /// Where the threshold lies between noise level (0) and signal level (1).
  package let threshold: Double
  /// A candidate this soon after a QRS may be its T wave ...
  package let tWaveReach: Int
  /// ... and is, if it is lower than this part of that QRS.
  package let tWaveHeight: Double
  /// Search-back begins this many mean RR intervals after a QRS.
  package let searchBackRR: Double
  /// It takes the highest rejected candidate above a threshold this part as high over the noise.
  package let searchBackPart: Double
  /// The mean RR interval in samples starts here.
  package let rrStart: Double
  /// One interval counts for at least this.
  package let rrMin: Double
  /// One interval counts for at most this.
  package let rrMax: Double
  /// Each time search-back finds nothing, the threshold takes the signal level as lower by this factor ...
  package let fade: Double
  /// ... down to this part.
  package let leastFade: Double
  /// By how much the envelope's maximum follows R.
  package let envelopeDelay: Int
  /// R is looked for this far on either side of where the envelope says it is.
  package let refineReach: Int
  /// Samples in the running mean that R is placed on.
  package let smoothSamples: Int
  /// Samples at either end of that window whose mean is the baseline there.
  package let baselineSamples: Int
  /// R is the first deflection of the QRS that reaches this part of the other; a smaller one is a q wave.
  package let firstDeflection: Double
  /// R changes sides only when the vote of recent beats (-1 to 1) is this far on the other side.
  package let sideMargin: Double

  init(_ json: JSONValue, name: String) throws(EdgeECGError) {
    let window = 1...10_000  // longer windows than this are no part of a heartbeat
    let part = 0.0...1.0
    let rr = 1.0...1e6  // below one sample, search-back would not move on
    var entries = try ContractEntries(json, name: name)
    bandpassSections = try entries.sections("bandpass_sos")
    quadratureGain = try entries.number("quadrature_gain", in: 0...1000)
    faintestMicrovolts = try entries.number("faintest_uv", in: 1e-6...1e9)
    refractory = try entries.integer("refractory", in: window)
    transient = try entries.number("transient", in: 1...1000)
    levelBeats = try entries.integer("level_beats", in: 2...1000)
    cap = try entries.number("cap", in: 1...1000)
    adaptation = try entries.number("adaptation", in: part)
    threshold = try entries.number("threshold", in: 0...0.99)  // at 1, nothing is above it
    tWaveReach = try entries.count("t_wave_reach")
    tWaveHeight = try entries.number("t_wave_height", in: part)
    searchBackRR = try entries.number("search_back_rr", in: 0...1000)
    searchBackPart = try entries.number("search_back_part", in: part)
    rrStart = try entries.number("rr_start", in: rr)
    rrMin = try entries.number("rr_min", in: rr)
    rrMax = try entries.number("rr_max", in: rrMin...rr.upperBound)
    fade = try entries.number("fade", in: part)
    leastFade = try entries.number("least_fade", in: part)
    firstDeflection = try entries.number("first_deflection", in: part)
    sideMargin = try entries.number("side_margin", in: part)
    // Candidates are placed on raw samples that are still kept ...
    learning = try entries.integer("learning", from: 1, to: Int(searchBackRR * rrMax))
    refineReach = try entries.integer("refine_reach", in: window)
    smoothSamples = try entries.integer("smooth_samples", in: 1...1000)
    baselineSamples = try entries.integer("baseline_samples", in: 1...refineReach)
    // ... and that have come by the time, with room for a baseline at either end even at the stream's start.
    envelopeDelay = try entries.integer(
      "envelope_delay", from: max(0, refineReach + smoothSamples / 2 - refractory - 1),
      to: refineReach + 2 - (smoothSamples + 1) / 2 - baselineSamples)
    try entries.requireNoOthers()
  }
}
