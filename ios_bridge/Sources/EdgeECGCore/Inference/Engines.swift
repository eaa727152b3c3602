/// Anything that turns a beat into an embedding: all preprocessing is inside, it takes raw microvolts.
///
/// `Encoder` in Python; Swift's own `Encoder` has that name already.
public protocol ECGEncoder: Sendable {
  /// Numbers in a beat.
  var beatLength: Int { get }
  /// Numbers in an embedding.
  var embeddingLength: Int { get }
  /// Writes the embedding of a beat (`beatLength` numbers) into `embedding`, whatever its size was.
  mutating func encode(_ beat: [Float], into embedding: inout [Float]) throws(EdgeECGError)
}

/// Anything that compares an embedding with every reference.
///
/// `Comparator` in Python; Foundation's own `Comparator` has that name already.
public protocol ECGComparator: Sendable {
  /// Numbers in an embedding.
  var embeddingLength: Int { get }
  /// Writes one logit of "different states" for each reference into `logits`, whatever its size was.
  mutating func compare(_ embedding: [Float], with references: ECGReferences, into logits: inout [Float])
    throws(EdgeECGError)
}
