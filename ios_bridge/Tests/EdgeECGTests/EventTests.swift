import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// Samples that come one by one give what they give at once.
@Suite struct EventTests {
  static func stream(_ samples: [Double]) -> AsyncStream<Double> {
    AsyncStream { continuation in
      for sample in samples { continuation.yield(sample) }
      continuation.finish()
    }
  }

  @Test func eventsAreThoseOfAReplay() async throws {
    let (bundle, recording) = (try Golden.bundle(), try Golden.recording("german"))
    let replayed = try ECGWatch.replay(recording, through: bundle)
    let watch = try ECGWatch(bundle: bundle, sampleRateHz: recording.sampleRateHz, day: recording.day)
    var events: [ECGWatchEvent] = []
    for try await event in watch.events(of: Self.stream(recording.samplesMicrovolts)) { events.append(event) }
    #expect(events == replayed.judged.map(ECGWatchEvent.judged) + [.ended(replayed.decision)])
  }

  @Test func aCancelledStreamHasNoDecision() async throws {
    let bundle = try Golden.bundle()
    let task = Task {
      var ended = false
      let endless = AsyncStream<Double> { _ in }
      for try await event in try ECGWatch(bundle: bundle).events(of: endless) {
        if case .ended = event { ended = true }
      }
      return ended
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { _ = try await task.value }
  }

  @Test(arguments: [1, 64, 20_000])
  func millivoltsAreToldAfterTenSeconds(chunk: Int) throws {
    let samples = (0..<6000).map { sin(Double($0) / 20) }  // 2 µV, if it were
    var watch = try ECGWatch(bundle: Golden.bundle())
    let error = try #require(throws: EdgeECGError.self) {
      for start in stride(from: 0, to: samples.count, by: chunk) { _ = try watch.push(samples[start...].prefix(chunk)) }
    }
    #expect(error.message.contains("surely in millivolts"))
    watch.reset()
    #expect(throws: Never.self) { try watch.push(samples.prefix(5119)) }
    var flat = try ECGWatch(bundle: Golden.bundle())
    #expect(throws: Never.self) { try flat.push(repeatElement(3, count: 6000)) }
  }

  @Test func whatIsJudgedIsWrittenAndReadBack() throws {
    let replayed = try ECGWatch.replay(Golden.recording("plain"), through: Golden.bundle())
    let content = try JSONEncoder().encode(replayed)
    #expect(try JSONDecoder().decode(ECGReplay.self, from: content) == replayed)
    #expect(replayed.decision.label == (try Golden.bundle()).labels[replayed.decision.outcome])
  }
}
