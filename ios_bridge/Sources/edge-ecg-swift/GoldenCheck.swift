import EdgeECG
import Foundation

/// The bundle's own golden vectors, run through the portable engine: beats of a recording with all that must follow.
struct GoldenCheck {
  private static let mostEmbeddingError = 1e-4
  private static let mostLogitError = 1e-3

  private var beats = 0
  private var embeddingError = 0.0
  private var logitError = 0.0
  private var otherVotes = 0

  /// - Throws: `EdgeECGError.bundle` if the bundle has no golden vectors.
  init(_ bundle: ECGBundle, _ folder: URL) throws {
    guard bundle.hash(ofFile: "golden.json") != nil,
      let content = try? Data(contentsOf: folder.appendingPathComponent("golden.json")),
      let golden = try? JSONValue(parsing: [UInt8](content)), let steps = golden["beats"]?.items
    else { throw EdgeECGError.bundle("\(bundle.source): golden.json holds no beats to check") }
    var encoder = bundle.encoder
    var comparator = bundle.comparator
    var embedding: [Float] = []
    var logits: [Float] = []
    for step in steps {
      try encoder.encode(Self.numbers(step["beat"]).map { Float($0) }, into: &embedding)
      try comparator.compare(embedding, with: bundle.references, into: &logits)
      let vote = ECGVote(logits: logits, references: bundle.references)
      embeddingError = max(embeddingError, Self.distance(embedding, Self.numbers(step["embedding"])))
      logitError = max(logitError, Self.distance(logits, Self.numbers(step["logits"])))
      let label = vote.hardTarget ? bundle.labels.target : bundle.labels.baseline
      if label != step["hard_vote"]?.text { otherVotes += 1 }
      beats += 1
    }
  }

  var isPassed: Bool {
    beats > 0 && otherVotes == 0 && embeddingError <= Self.mostEmbeddingError && logitError <= Self.mostLogitError
  }

  var summary: String {
    "golden        \(beats) beats: embeddings within \(String(format: "%.1g", embeddingError)), logits within "
      + "\(String(format: "%.1g", logitError)), \(otherVotes) other votes: \(isPassed ? "passed" : "FAILED")"
  }

  private static func numbers(_ json: JSONValue?) -> [Double] {
    json?.items?.compactMap(\.double) ?? []
  }

  private static func distance(_ got: [Float], _ wanted: [Double]) -> Double {
    got.count == wanted.count ? zip(got, wanted).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } : .infinity
  }
}
