/// What a watch has to say while samples come in.
public enum ECGWatchEvent: Hashable, Sendable, Codable {
  /// A beat was judged; its decision is provisional.
  case judged(ECGJudgedBeat)
  /// The samples have ended: what is known now is final.
  case ended(ECGDecision)
}

extension ECGWatch {
  /// What the watch says of samples that come one by one, a missing one as NaN; the watch itself stays as it is.
  ///
  /// Iterating throws what ``push(_:)`` throws and what the samples throw, and `CancellationError` in place of the end
  /// if the task was cancelled: half an ECG has no decision.
  public func events<Samples: AsyncSequence>(of samplesMicrovolts: Samples) -> ECGWatchEvents<Samples>
  where Samples.Element == Double {
    ECGWatchEvents(watch: self, samples: samplesMicrovolts)
  }
}

/// Events of a watch, from samples in microvolts: each judged beat as soon as it is known, and the end.
public struct ECGWatchEvents<Samples: AsyncSequence>: AsyncSequence where Samples.Element == Double {
  /// What is iterated.
  public typealias Element = ECGWatchEvent

  fileprivate let watch: ECGWatch
  fileprivate let samples: Samples

  /// Begins with the first sample.
  public func makeAsyncIterator() -> Iterator {
    Iterator(watch: watch, samples: samples.makeAsyncIterator())
  }

  /// One pass over the samples.
  public struct Iterator: AsyncIteratorProtocol {
    private static var atOnce: Int { 64 }  // samples a push: an eighth of a second

    fileprivate var watch: ECGWatch
    fileprivate var samples: Samples.AsyncIterator
    private var judged: ArraySlice<ECGJudgedBeat> = []
    private var isOver = false
    private var isTold = false

    fileprivate init(watch: ECGWatch, samples: Samples.AsyncIterator) {
      (self.watch, self.samples) = (watch, samples)
    }

    /// The next event; nothing after the end.
    public mutating func next() async throws -> ECGWatchEvent? {
      while judged.isEmpty {
        if isTold { return nil }
        if isOver {
          isTold = true
          try Task.checkCancellation()  // a cancelled sequence of samples may just end
          return .ended(watch.decision)
        }
        var heard: [Double] = []
        while heard.count < Self.atOnce {
          guard let sample = try await samples.next() else {
            isOver = true
            break
          }
          heard.append(sample)
        }
        judged = try watch.push(heard)[...]
      }
      return .judged(judged.removeFirst())
    }
  }
}

extension ECGWatchEvents: Sendable where Samples: Sendable {}
