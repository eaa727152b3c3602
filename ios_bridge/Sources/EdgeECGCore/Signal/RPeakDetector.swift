/// One R peak of the stream.
package struct RPeak: Hashable, Sendable {
  /// Samples at the contract's rate since the stream began.
  package let index: Int64
  /// Samples the stream had delivered when the peak became certain.
  package let confirmedAt: Int64
}

/// Finds R peaks in a live ECG. Any chunk size gives the same peaks, confirmed at the same moments.
///
/// The road: band-pass; envelope sqrt(y^2 + (gain * step of y)^2), whose two terms are a quarter period apart,
/// so that one QRS makes one hump; its maxima in time order are the candidates. A candidate that stays the
/// highest for the refractory time is judged against an adaptive threshold; an R peak is then placed on the raw
/// samples. Whatever happens, happens at a candidate or at a deadline counted in samples, never at the end of a
/// chunk.
///
/// After J. Pan, W. J. Tompkins, "A Real-Time QRS Detection Algorithm", IEEE Trans. Biomed. Eng. 32(3), 1985,
/// with the median levels of P. S. Hamilton, W. J. Tompkins, ibid. 33(12), 1986. The departures and their reasons
/// stand in `edge_ecg/signal/rpeaks.py`, which this follows operation by operation: both give the same indices.
package struct RPeakDetector: Sendable {
  /// A maximum of the envelope.
  struct Candidate: Sendable {
    var at: Int64
    var height: Double
  }

  /// How long after it happened a peak may still be found, in samples, once the levels are learnt.
  package let longestWait: Int

  let constants: DetectorConstants
  private let memorySamples: Int
  private let refractory: Int64  // after a candidate, until it is judged
  private var bandpass: Bandpass
  private var filtered = 0.0  // the last sample through the band-pass
  private var envelope = (0.0, 0.0)  // the last two
  private(set) var raw: StreamBuffer  // as far back as an R peak may still be placed
  private var vote = 0.0  // recent beats' say on the side of R, -1 down to 1 up
  private var side = 1.0  // the side that counts
  private var pending: Candidate?  // the highest of late, until the refractory time is over
  private var rejected: [Candidate] = []  // what search-back may return to
  private var last: Candidate?  // the last QRS, its height capped
  private var learning: [Candidate]? = []
  private var deadline: Int64  // when learning ends, later when search-back begins
  private var heights: [Double] = []  // of recent QRS
  private var level = 0.0  // their median
  private var noise = 0.0
  private var fade = 1.0
  private var rr: Double
  private var found: [RPeak] = []

  /// A detector with the constants of a contract.
  package init(_ constants: DetectorConstants) {
    self.constants = constants
    memorySamples = Int(clamped: constants.searchBackRR * constants.rrMax) + constants.refractory + 2
    longestWait = memorySamples + constants.envelopeDelay + constants.refineReach + constants.smoothSamples
    raw = StreamBuffer(keeping: longestWait)
    refractory = Int64(constants.refractory + 2)
    bandpass = Bandpass(constants.bandpassSections)
    deadline = Int64(constants.learning)
    rr = constants.rrStart
  }

  /// Forgets the stream.
  package mutating func reset() {
    self = RPeakDetector(constants)
  }

  /// The R peaks that have become certain, from microvolts at the contract's rate, any number of them.
  ///
  /// A sample that is not a finite number counts as the one before it: a gap is a flat stretch.
  package mutating func push(_ samples: some Sequence<Double>) -> [RPeak] {
    raw.forget(before: raw.end - Int64(longestWait))
    for sample in samples {
      take(sample.isFinite ? sample : raw.last ?? 0)
    }
    wait(until: raw.end)
    defer { found.removeAll(keepingCapacity: true) }
    return found
  }

  /// The peaks near the end that still waited for samples, as if the last were held; ends the stream.
  package mutating func finish() -> [RPeak] {
    guard let last = raw.last else { return [] }
    let heard = raw.end
    let held = constants.envelopeDelay + constants.refineReach + constants.refractory
    var peaks = push(repeatElement(last, count: held))
    if learning?.isEmpty == false {
      learn(at: heard)
      peaks = found
      found = []
    }
    return peaks.filter { $0.index < heard - Int64(constants.smoothSamples / 2) }
      .map { RPeak(index: $0.index, confirmedAt: min($0.confirmedAt, heard)) }
  }

  private mutating func take(_ sample: Double) {
    raw.append(sample)
    let now = bandpass.push(sample)
    let step = (now - filtered) * constants.quadratureGain
    let height = (now * now + step * step).squareRoot()
    let (before, middle) = envelope
    filtered = now
    envelope = (middle, height)
    guard middle > before, middle >= height, middle > constants.faintestMicrovolts else { return }
    let candidate = Candidate(at: raw.end - 2, height: middle)
    wait(until: candidate.at + 1)
    if candidate.height > (pending?.height ?? -.infinity) { pending = candidate }
  }

  /// Lets the deadlines pass that fall due up to `now`, in their order.
  private mutating func wait(until now: Int64) {
    while true {
      let judgedAt = pending.map { $0.at + refractory } ?? now + 1
      if min(judgedAt, deadline) > now { return }
      if let candidate = pending, judgedAt <= deadline {
        pending = nil
        if learning == nil { judge(candidate, at: judgedAt) } else { learning?.append(candidate) }
      } else if learning != nil {
        learn(at: deadline)
      } else {
        searchBack(at: deadline)
      }
    }
  }

  /// Sets the levels from the first candidates, then judges these.
  private mutating func learn(at now: Int64) {
    guard let learnt = learning, !learnt.isEmpty else {
      deadline = now + Int64(constants.learning)  // nothing heard yet: an electrode that is still off
      return
    }
    learning = nil
    let sorted = ([0.0] + learnt.map { $0.height }).sorted()
    // A settling transient towers over the second highest, which then is a QRS.
    let (highest, second) = (sorted[sorted.count - 1], sorted[sorted.count - 2])
    heights = [second > 0 ? min(highest, constants.transient * second) : highest]
    level = heights[0]
    setDeadline(after: 0, now: now)
    chooseSide(by: learnt.filter { $0.height > threshold() }, most: second > 0 ? second : highest)
    for candidate in learnt {
      judge(candidate, at: now)
    }
  }

  private func threshold(part: Double = 1) -> Double {
    noise + part * constants.threshold * (level * fade - noise)
  }

  private mutating func judge(_ candidate: Candidate, at now: Int64) {
    let isTWave =
      last.map {
        candidate.at - $0.at < Int64(constants.tWaveReach) && candidate.height < constants.tWaveHeight * $0.height
      } ?? false
    if !isTWave && candidate.height > threshold() { return accept(candidate, at: now) }
    noise += constants.adaptation * (min(candidate.height, level) - noise)
    if !isTWave { rejected.append(candidate) }
  }

  private mutating func searchBack(at now: Int64) {
    rejected.removeAll { $0.at <= now - Int64(memorySamples) }
    var best: Candidate?
    for candidate in rejected where candidate.height > (best?.height ?? -.infinity) {
      best = candidate  // the first of the highest
    }
    if let best, best.height > threshold(part: constants.searchBackPart) {
      accept(best, at: now)
    } else if fade > constants.leastFade {
      fade = max(constants.fade * fade, constants.leastFade)
      deadline = now + Int64(clamped: rr)
    } else {  // what was learnt was no heart, but noise
      (noise, fade, learning, deadline) = (0, 1, [], now + Int64(constants.learning))
    }
  }

  private mutating func accept(_ candidate: Candidate, at now: Int64) {
    if let last {
      let interval = min(max(Double(candidate.at - last.at), constants.rrMin), constants.rrMax)
      rr += constants.adaptation * (interval - rr)
    }
    let height = min(candidate.height, constants.cap * level)
    heights = heights.suffix(constants.levelBeats - 1) + [height]
    level = heights.sorted()[(heights.count - 1) / 2]
    fade = 1
    last = Candidate(at: candidate.at, height: height)
    rejected.removeAll { $0.at <= candidate.at }
    setDeadline(after: candidate.at, now: now)
    let deflections = Deflections(of: candidate, in: raw, constants)
    vote += constants.adaptation * (deflections.side - vote)
    if vote * side < -constants.sideMargin { side = -side }
    let rIndex = side > 0 ? deflections.top : deflections.bottom
    // At the very start of the stream only the end of a QRS may be left.
    if rIndex > Int64(constants.smoothSamples / 2) {
      found.append(RPeak(index: rIndex, confirmedAt: now))
    }
  }

  private mutating func setDeadline(after index: Int64, now: Int64) {
    deadline = max(index + Int64(clamped: constants.searchBackRR * rr) + refractory, now)
  }

  /// The first side of R: the strong candidates' vote, each with its height, at most `most`.
  private mutating func chooseSide(by strong: [Candidate], most: Double) {
    var (votes, weights, latest) = (0.0, 0.0, side)
    for candidate in strong {
      latest = Deflections(of: candidate, in: raw, constants).side
      votes += min(candidate.height, most) * latest
      weights += min(candidate.height, most)
    }
    guard weights > 0 else { return }
    vote = votes / weights
    // On a tie the latest decides: a rule that the inverted lead shares.
    side = vote > 0 ? 1 : vote < 0 ? -1 : latest
  }
}
