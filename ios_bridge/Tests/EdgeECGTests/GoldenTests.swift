import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// Every stage gives what Python gave.
@Suite struct GoldenTests {
  @Test(arguments: Golden.recordings)
  func stagesFollowPython(name: String) throws {
    let vector = try Golden.vector(name)
    let recording = try Golden.recording(name)
    let contract = try Golden.bundle().contract
    #expect(recording.sampleRateHz == vector["sample_rate_hz"]?.double)

    var resampler = try Resampler(rateHz: recording.sampleRateHz, targetHz: contract.sampleRateHz)
    let samples = resampler.push(recording.samplesMicrovolts) + resampler.finish()
    #expect(Array(samples.suffix(64)) == vector["resampled"]?.doubles)

    var bandpass = Bandpass(contract.detector.bandpassSections)
    let filtered = samples.map { bandpass.push($0) }
    // Python filters by a matrix for each block, which adds up in another order.
    #expect(distance(Array(filtered.suffix(64)), vector["filtered"]?.doubles ?? []) < 1e-9)

    var detector = RPeakDetector(contract.detector)
    let peaks = detector.push(samples) + detector.finish()
    #expect(
      peaks.map { [Int($0.index), Int($0.confirmedAt)] } == vector["r_peaks"]?.items?.map { $0.items?.map(\.integer) })
  }

  @Test(arguments: Golden.recordings, [1, 7, 64, 512, 15360])
  func decisionsFollowPythonAtAnyChunkSize(name: String, chunk: Int) throws {
    let vector = try Golden.vector(name)
    let bundle = try Golden.bundle()
    let replayed = try ECGWatch.replay(Golden.recording(name), through: bundle, chunkSamples: chunk)
    let beats = try #require(vector["beats"]?.items)
    #expect(replayed.judged.count == beats.count)
    var encoder = bundle.encoder
    var comparator = bundle.comparator
    var embedding: [Float] = []
    var logits: [Float] = []
    for (judged, wanted) in zip(replayed.judged, beats) {
      #expect(Int(judged.beat.rIndex) == wanted["r_index"]?.integer)
      #expect(judged.beat.knownAtSeconds == wanted["known_at_s"]?.double)
      #expect(judged.unusable.map(\.rawValue) == wanted["unusable"]?.items?.compactMap(\.text))
      guard let vote = judged.vote else { continue }
      let bytes = judged.beat.values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) }
      #expect(SHA256.hexDigest(of: bytes) == wanted["values_sha256"]?.text)
      try encoder.encode(judged.beat.values, into: &embedding)
      try comparator.compare(embedding, with: bundle.references, into: &logits)
      #expect(distance(embedding.map(Double.init), wanted["embedding"]?.doubles ?? []) < 1e-4)
      #expect(distance(logits.map(Double.init), wanted["logits"]?.doubles ?? []) < 1e-3)
      #expect(JSONValue.bool(vote.hardTarget) == wanted["hard_target"])
      #expect(judged.decision.label == wanted["decision"]?.text)
    }
    let decision = vector["decision"]
    #expect(replayed.decision.label == decision?["decision"]?.text)
    #expect(replayed.decision.provisional?.label == decision?["provisional"]?.text)
    #expect(replayed.decision.provisional?.beats == decision?["provisional_after_beats"]?.integer)
    #expect(replayed.decision.provisional?.seconds == decision?["provisional_after_s"]?.double)
    #expect(abs(replayed.logOdds - (decision?["log_odds"]?.double ?? .nan)) < 1e-3)
    #expect(replayed.rule == decision?["rule"]?.text)
    #expect(abs(replayed.decision.confidence - (decision?["confidence"]?.double ?? 0)) <= 5e-5)
    #expect(replayed.decision.unusable == decision?["unusable_beats"]?.integer)
    #expect(replayed.decision.reasons.map(\.rawValue) == decision?["reasons"]?.items?.compactMap(\.text))
    #expect(abs(replayed.decision.coveredSeconds - (decision?["covered_s"]?.double ?? .nan)) <= 5e-3)
    #expect(replayed.leadIsInverted == (name == "inverted"))
    #expect(replayed.invertedBeats == (name == "inverted" ? beats.count : 0))
  }

  @Test func theDaysBaselineFollowsPython() throws {
    let golden = try JSONValue(parsing: Golden.bytes(Golden.folder + "/golden.json"))["day_baseline"] ?? .null
    let bundle = try Golden.bundle()
    let baseline = try ECGDayBaseline(bundle: bundle, recordings: [Golden.recording(golden["baseline"]?.text ?? "")])
    #expect(abs(baseline.level.level - (golden["level"]?.double ?? .nan)) < 1e-4)
    #expect(baseline.level.beats == golden["beats"]?.integer)
    let recording = try Golden.recording(golden["recording"]?.text ?? "")
    let replayed = try ECGWatch.replay(recording, through: bundle, dayBaseline: baseline)
    #expect(replayed.decision.label == golden["decision"]?["decision"]?.text)
    #expect(replayed.decision.provisional?.beats == golden["decision"]?["provisional_after_beats"]?.integer)
    #expect(abs(replayed.logOdds - (golden["decision"]?["log_odds"]?.double ?? .nan)) < 1e-3)
    #expect(replayed.rule == golden["decision"]?["rule"]?.text)
    let own = try ECGWatch.replay(Golden.recording("plain"), through: bundle, dayBaseline: baseline)
    #expect(own.decision.reasons.map(\.rawValue) == golden["reasons_of_the_baseline"]?.items?.compactMap(\.text))
    #expect(own.decision.reasons == [.ownBaseline])
  }

  @Test func aBaselineIsRefusedForItsContent() throws {
    let (bundle, plain, other) = (try Golden.bundle(), try Golden.recording("plain"), try Golden.recording("again"))
    #expect(throws: EdgeECGError.self) { try ECGDayBaseline(bundle: bundle, recordings: [plain, plain]) }
    #expect(throws: EdgeECGError.self) { try ECGDayBaseline(bundle: bundle, recordings: [other]) }  // of the target
    #expect(throws: EdgeECGError.self) { try ECGDayBaseline(bundle: bundle, recordings: [Golden.recording("looped")]) }
  }

  @Test func theWatchKnowsWhenABaselineIsEnough() throws {
    let (bundle, recording) = (try Golden.bundle(), try Golden.recording("spliced"))
    var watch = try ECGWatch(bundle: bundle, sampleRateHz: recording.sampleRateHz)
    var enough: Int?
    for start in stride(from: 0, to: 6656, by: 64) where !watch.isBaselineEnough {  // 13 s, before the splice
      _ = try watch.push(recording.samplesMicrovolts[start..<start + 64])
      if watch.isBaselineEnough { enough = watch.decision.beats }
    }
    #expect(enough == 10)
  }

  @Test func aResetWatchIsANewOne() throws {
    let bundle = try Golden.bundle()
    let recording = try Golden.recording("plain")
    var watch = try ECGWatch(bundle: bundle, sampleRateHz: recording.sampleRateHz)
    let first = try watch.push(recording.samplesMicrovolts)
    watch.reset()
    #expect(watch.decision.beats == 0)
    let second = try watch.push(recording.samplesMicrovolts)
    #expect(second == first)
  }

  @Test func aCopyOfAWatchGoesItsOwnWay() throws {
    let recording = try Golden.recording("plain")
    var watch = try ECGWatch(bundle: Golden.bundle(), sampleRateHz: recording.sampleRateHz)
    let half = recording.samplesMicrovolts.count / 2
    _ = try watch.push(recording.samplesMicrovolts[..<half])
    var copy = watch
    _ = try copy.push(repeatElement(0.0, count: half))
    let rest = try watch.push(recording.samplesMicrovolts[half...])
    var whole = try ECGWatch(bundle: Golden.bundle(), sampleRateHz: recording.sampleRateHz)
    let all = try whole.push(recording.samplesMicrovolts)
    #expect(!rest.isEmpty)
    #expect(Array(all.suffix(rest.count)) == rest)
  }

  /// One missing measurement is bridged: the same decision as without it.
  @Test func aMissingSampleIsBridged() throws {
    let (bundle, whole) = (try Golden.bundle(), try Golden.recording("plain"))
    var samples = whole.samplesMicrovolts
    samples[samples.count / 2] = .nan
    let recording = try ECGRecording(samplesMicrovolts: samples, sampleRateHz: whole.sampleRateHz, source: "a gap")
    let replayed = try ECGWatch.replay(recording, through: bundle)
    let wanted = try ECGWatch.replay(whole, through: bundle)
    #expect(replayed.judged.map(\.unusable) == wanted.judged.map(\.unusable))
    #expect(replayed.decision.label == wanted.decision.label)
  }

  @Test(arguments: [Float.nan, .infinity])
  func whatAnEngineCannotSayIsNoVote(number: Float) throws {
    var bundle = try Golden.bundle()
    bundle.comparator = Broken(embeddingLength: bundle.references.embeddingLength, number: number)
    let replayed = try ECGWatch.replay(Golden.recording("plain"), through: bundle)
    #expect(replayed.decision.beats == 0 && replayed.decision.label == ECGDecision.inconclusive)
    #expect(replayed.judged.contains { $0.unusable == [.notANumber] && $0.beat.isUsable })
  }

  /// A comparator whose last logit is not a number.
  private struct Broken: ECGComparator {
    let embeddingLength: Int
    let number: Float

    func compare(_ embedding: [Float], with references: ECGReferences, into logits: inout [Float]) {
      logits = [Float](repeating: -1, count: references.count - 1) + [number]
    }
  }

  @Test func whatAGapTouchesDoesNotVote() throws {
    let recording = try Golden.recording("plain")
    var watch = try ECGWatch(bundle: Golden.bundle(), sampleRateHz: recording.sampleRateHz)
    let half = recording.samplesMicrovolts.count / 2
    var judged = try watch.push(recording.samplesMicrovolts[..<half])
    judged += try watch.gap(seconds: 0.3)
    judged += try watch.push(recording.samplesMicrovolts[half...])
    #expect(judged.contains { $0.unusable.contains(.missing) && $0.vote == nil })
    #expect(watch.decision.unusable > 0)
    _ = try watch.gap(seconds: 86_400)
    #expect(throws: EdgeECGError.self) { try watch.gap(seconds: -1) }
    #expect(throws: EdgeECGError.self) { try watch.gap(seconds: 86_401) }
    #expect(throws: EdgeECGError.self) { try watch.gap(seconds: .nan) }
  }
}
