import EdgeECG
import Foundation

/// One replayed recording, as `edge-ecg replay` shows it.
struct ReplayRow {
  private let replayed: ECGReplay
  private let bundle: ECGBundle
  private let recording: ECGRecording

  init(_ recording: ECGRecording, _ bundle: ECGBundle, chunkSamples: Int, dayBaseline: ECGDayBaseline?) throws {
    replayed = try ECGWatch.replay(recording, through: bundle, chunkSamples: chunkSamples, dayBaseline: dayBaseline)
    self.bundle = bundle
    self.recording = recording
  }

  /// The same object as Python prints; with beats it has two more entries.
  func json(withBeats: Bool) throws -> String {
    let decision = replayed.decision
    let latency = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)].map { name, part in
      "\"\(name)\": \(replayed.latency(percentile: part).map { rounded($0, 1) } ?? "null")"
    }
    let unusable = replayed.unusable.map { "\(quoted($0.reason.rawValue)): \($0.beats)" }
    var entries = [
      "\"file\": \(quoted(replayed.source))",
      "\"decision\": \(quoted(decision.label))",
      "\"confidence\": \(rounded(decision.confidence, 4))",
      "\"beats\": \(decision.beats)",
      "\"log_odds\": \(rounded(replayed.logOdds, 4))",
      "\"provisional\": \(decision.provisional.map { quoted($0.label) } ?? "null")",
      "\"provisional_after_beats\": \(decision.provisional.map { String($0.beats) } ?? "null")",
      "\"provisional_after_s\": \(decision.provisional?.seconds.pythonRepr ?? "null")",
      "\"rule\": \(quoted(replayed.rule))",
      "\"dates\": \(dates)",
      "\"reasons\": [\(decision.reasons.map { quoted($0.rawValue) }.joined(separator: ", "))]",
      "\"covered_s\": \(rounded(decision.coveredSeconds, 2))",
      "\"duration_s\": \(rounded(replayed.durationSeconds, 2))",
      "\"votes\": {\(quoted(bundle.labels.baseline)): \(decision.votesForBaseline), "
        + "\(quoted(bundle.labels.target)): \(decision.votesForTarget)}",
      "\"latency_us\": {\(latency.joined(separator: ", "))}",
      "\"realtime_factor\": \(rounded(replayed.realtimeFactor, 1))",
      "\"unusable_beats\": \(decision.unusable)",
      "\"unusable\": {\(unusable.joined(separator: ", "))}",
      "\"inverted_beats\": \(replayed.invertedBeats)",
      "\"lead_is_inverted\": \(replayed.leadIsInverted)",
      "\"late_chunks\": \(replayed.lateChunks)",
    ]
    if withBeats {
      entries.append("\"r_peaks\": \(try recording.rPeaks(bundle.contract))")
      entries.append("\"judged\": [\(try judgedBeats().joined(separator: ", "))]")
    }
    return "{\(entries.joined(separator: ", "))}"
  }

  private var dates: String {
    guard let levels = bundle.rule.levels else { return "null" }
    return "{\(quoted(bundle.labels.baseline)): \(levels.baseline.dates), "
      + "\(quoted(bundle.labels.target)): \(levels.target.dates)}"
  }

  private func judgedBeats() throws -> [String] {
    var encoder = bundle.encoder
    var comparator = bundle.comparator
    var embedding: [Float] = []
    var logits: [Float] = []
    return try replayed.judged.map { judged in
      let reasons = judged.unusable.map { quoted($0.rawValue) }
      var entries = [
        "\"r_index\": \(judged.beat.rIndex)",
        "\"known_at_s\": \(judged.beat.knownAtSeconds.pythonRepr)",
        "\"is_turned\": \(judged.beat.isTurned)",
        "\"unusable\": [\(reasons.joined(separator: ", "))]",
        "\"decision\": \(quoted(judged.decision.label))",
      ]
      if let vote = judged.vote {
        try encoder.encode(judged.beat.values, into: &embedding)
        try comparator.compare(embedding, with: bundle.references, into: &logits)
        entries += [
          "\"values\": \(judged.beat.values)", "\"embedding\": \(embedding)", "\"logits\": \(logits)",
          "\"same_as_baseline\": \(vote.sameAsBaseline)", "\"same_as_target\": \(vote.sameAsTarget)",
          "\"hard_target\": \(vote.hardTarget)", "\"evidence\": \(vote.evidence.pythonRepr)",
        ]
      }
      return "{\(entries.joined(separator: ", "))}"
    }
  }

  /// The head of the table.
  static var header: String {
    columns(
      "recording", "decision", "confidence", "provisional", "beats (votes)", "a beat p50", "rule")
  }

  /// The line of the table.
  var text: String {
    let decision = replayed.decision
    return Self.columns(
      String(replayed.source.suffix(36)), decision.label,
      decision.isConclusive ? "\(rounded(decision.confidence * 100, 1))%" : "-",
      decision.provisional.map { "\($0.label) after \(rounded($0.seconds, 1)) s" } ?? "-",
      "\(decision.beats) (\(decision.votesForBaseline) : \(decision.votesForTarget))",
      replayed.latency(percentile: 0.5).map { "\(Int(clamped: $0.rounded())) us" } ?? "-",
      replayed.rule) + (decision.unusable > 0 ? "  \(unusable)" : "")
      + (replayed.leadIsInverted ? "  \(inverted)" : "")
      + (decision.reasons.isEmpty ? "" : "  not decided: \(decision.reasons.map(\.rawValue).joined(separator: ", "))")
  }

  private var unusable: String {
    let reasons = replayed.unusable.map { "\($0.reason.rawValue) \($0.beats)" }.joined(separator: ", ")
    return "\(replayed.decision.unusable) unusable: \(reasons)"
  }

  private var inverted: String {
    let turned = "\(replayed.invertedBeats) of \(replayed.judged.count) beats were turned upright"
    return "lead inverted: \(turned) (worn on the other wrist, or the watch turned?)"
  }

  private static func columns(_ texts: String...) -> String {
    let widths = [-36, -14, 10, 24, 16, 10, -9]
    return zip(texts, widths).map { text, width in
      let blanks = String(repeating: " ", count: max(0, abs(width) - text.count))
      return width < 0 ? text + blanks : blanks + text
    }
    .joined(separator: "  ")
  }
}

/// The number with so many decimals, as Python's `round` gives and `json.dumps` shows it.
func rounded(_ number: Double, _ decimals: Int) -> String {
  Double(String(format: "%.\(decimals)f", number))?.pythonRepr ?? "null"
}

/// A JSON string in ASCII, as Python's `json.dumps` writes it.
private func quoted(_ text: String) -> String {
  var quoted = "\""
  for unit in text.utf16 {
    switch unit {
    case 0x22: quoted += "\\\""
    case 0x5c: quoted += "\\\\"
    case 0x0a: quoted += "\\n"
    case 0x0d: quoted += "\\r"
    case 0x09: quoted += "\\t"
    case 0x08: quoted += "\\b"
    case 0x0c: quoted += "\\f"
    case 0x20..<0x7f: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
    default: quoted += String(format: "\\u%04x", Int(unit))
    }
  }
  return quoted + "\""
}
