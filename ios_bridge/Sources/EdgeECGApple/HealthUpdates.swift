/// An element for each time that HealthKit reports saved ECGs, in the background too, until the loop is left.
///
/// HealthKit waits for the body of the loop before it lets the app sleep. An error ends the loop.
public struct HealthUpdates: AsyncSequence, Sendable {
  /// A report says that something was saved, and not what.
  public typealias Element = Void
  typealias Reports = AsyncThrowingStream<Report, any Error>

  let start: @Sendable (Reports.Continuation) -> Void

  /// Begins to listen.
  public func makeAsyncIterator() -> Iterator {
    Iterator(reports: Reports { start($0) }.makeAsyncIterator())
  }

  /// One listener.
  public struct Iterator: AsyncIteratorProtocol {
    fileprivate var reports: Reports.Iterator
    private var latest: Report?

    fileprivate init(reports: Reports.Iterator) { self.reports = reports }

    /// Waits for the next report; nothing once the task is canceled.
    public mutating func next() async throws -> Void? {
      latest = nil  // the body of the loop is through with it
      latest = try await reports.next()
      return latest == nil ? nil : ()
    }
  }

  /// A report of HealthKit, which is answered when nobody holds it any longer.
  final class Report: @unchecked Sendable {  // HealthKit lets any thread answer
    private let answer: () -> Void

    init(answer: @escaping () -> Void) { self.answer = answer }

    deinit { answer() }
  }
}
