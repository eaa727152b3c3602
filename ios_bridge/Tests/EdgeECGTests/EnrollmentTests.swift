import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore
@testable import EdgeECGApple

@Suite struct EnrollmentTests {
  /// The numbers that `edge_ecg.enroll` gave for the golden recordings.
  @Test func enrollmentFollowsPython() throws {
    let golden = try JSONValue(parsing: Golden.bytes(Golden.folder + "/golden.json"))["enrollment"]
    let enrollment = try ECGEnrollment(
      bundle: Golden.bundle(), recordings: Golden.recordings.map { try Golden.recording($0) })
    #expect(enrollment.samples.count { $0.rejected == nil } == golden?["recordings"]?.integer)
    let days = Set(enrollment.samples.filter { $0.rejected == nil }.compactMap { $0.day?.description })
    #expect(days.sorted() == golden?["dates"]?.items?.compactMap(\.text))
    #expect(abs(enrollment.distance - (golden?["distance"]?.double ?? -1)) < 1e-4)
    #expect(distance(enrollment.shift, golden?["shift"]?.doubles ?? []) < 1e-4)
    #expect(abs((enrollment.references.distribution?.limit ?? -1) - (golden?["limit"]?.double ?? -2)) < 1e-4)
  }

  @Test func whatWasEnrolledIsKeptForItsBundle() throws {
    let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("EdgeECG-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let kept = EnrolledReferences(folder: folder)
    let bundle = try Golden.bundle()
    let before = try kept.applied(to: bundle).references
    #expect(before == bundle.references)
    let (enrolled, enrollment) = try kept.enroll(bundle, recordings: Golden.ofThreeDates())
    let readBack = try kept.applied(to: bundle).references
    #expect(readBack.embeddings == enrolled.references.embeddings)
    #expect(readBack.embeddings != bundle.references.embeddings)
    #expect(enrollment.shift.count == bundle.references.embeddingLength)
    try kept.forget(bundle)
    let after = try kept.applied(to: bundle).references
    #expect(after == bundle.references)
  }

  /// A device that is locked can't read them: then nothing is judged, rather than by other references.
  @Test func keptReferencesThatCannotBeReadAreAnError() throws {
    let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("EdgeECG-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let (kept, bundle) = (EnrolledReferences(folder: folder), try Golden.bundle())
    _ = try kept.enroll(bundle, recordings: Golden.ofThreeDates())
    let file = try #require(
      try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).first)
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
    #expect(throws: EdgeECGError.self) { try kept.applied(to: bundle) }
  }

  @Test(arguments: [
    ("2024-03-01", 738946), ("ecg_2024-02-29_3.csv", 738945), ("0001-01-01", 737_060), ("9999-12-31", nil),
    ("ecg_2566-10-05_2.csv", 738_798), ("0112-10-05", 738_798), ("0005-10-05", 738_798), ("12024-03-01", nil),
    ("2023-02-29", nil), ("2024-13-01", nil), ("2024-00-10", nil), ("20240301", nil), ("", nil),
  ])
  func aDayIsCountedAsPythonCounts(text: String, ordinal: Int?) {
    #expect(ECGCalendarDay(in: text)?.ordinal == ordinal)
  }

  @Test func whatEnrolledIsNotOutOfDate() throws {
    let (bundle, late) = (try Golden.bundle(), try Golden.recording("late"))
    let distribution = try #require(bundle.references.distribution)
    let enrollment = try ECGEnrollment(bundle: bundle, recordings: Golden.ofThreeDates().dropLast() + [late])
    let enrolled = try #require(enrollment.references.distribution)
    #expect(distribution.isOutOfDate(late.day) && !enrolled.isOutOfDate(late.day))
    let plain = try Golden.recording("plain")
    #expect(!distribution.isOutOfDate(nil) && !distribution.isOutOfDate(plain.day))
    let readBack = try ECGReferences(safetensors: enrollment.references.safetensors)
    #expect(readBack.distribution?.days == enrolled.days)
  }

  @Test func fewerThanThreeDatesEnrolNothing() throws {
    let bundle = try Golden.bundle()
    #expect(throws: EdgeECGError.self) { try ECGEnrollment(bundle: bundle, recordings: []) }
    let two = Array(try Golden.ofThreeDates().dropLast())
    let error = try #require(throws: EdgeECGError.self) { try ECGEnrollment(bundle: bundle, recordings: two + two) }
    #expect(error.message.contains("of 3 dates are needed, these are of 2"))
  }
}
