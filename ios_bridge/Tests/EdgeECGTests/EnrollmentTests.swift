import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGApple

@Suite struct EnrollmentTests {
  /// The numbers that `edge_ecg.enroll` gave for the golden recordings.
  @Test func enrollmentFollowsPython() throws {
    let golden = try JSONValue(parsing: Golden.bytes(Golden.folder + "/golden.json"))["enrolment"]
    let enrollment = try Enrollment(Golden.bundle(), recordings: Golden.recordings.map { try Golden.recording($0) })
    #expect(enrollment.samples.count { $0.rejected == nil } == golden?["recordings"]?.integer)
    let dates = Set(enrollment.samples.filter { $0.rejected == nil }.map(\.date))
    #expect(dates.sorted() == golden?["dates"]?.items?.compactMap(\.text))
    #expect(abs(enrollment.distance - (golden?["distance"]?.double ?? -1)) < 1e-4)
    #expect(abs(enrollment.share - (golden?["share"]?.double ?? -1)) < 1e-4)
    #expect(distance(enrollment.shift, golden?["shift"]?.doubles ?? []) < 1e-4)
    #expect(abs((enrollment.references.seen?.limit ?? -1) - (golden?["limit"]?.double ?? -2)) < 1e-4)
  }

  @Test func whatWasEnrolledIsKeptForItsBundle() throws {
    let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("EdgeECG-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let kept = EnrolledReferences(folder: folder)
    let bundle = try Golden.bundle()
    let before = try kept.applied(to: bundle).references
    #expect(before == bundle.references)
    let (enrolled, enrollment) = try kept.enroll(bundle, recordings: [try Golden.recording("plain")])
    let readBack = try kept.applied(to: bundle).references
    #expect(readBack.embeddings == enrolled.references.embeddings)
    #expect(readBack.embeddings != bundle.references.embeddings || enrollment.share == 0)
    #expect(enrollment.shift.count == bundle.references.embeddingLength)
    try kept.forget(bundle)
    let after = try kept.applied(to: bundle).references
    #expect(after == bundle.references)
  }

  @Test func nothingCanBeEnrolledWithoutARecording() throws {
    let bundle = try Golden.bundle()
    #expect(throws: EdgeECGError.self) { try Enrollment(bundle, recordings: []) }
  }
}
