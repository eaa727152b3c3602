import EdgeECG
import Foundation

/// Fresh references on the device: what an `ECGEnrollment` moved, kept for the bundle it was made with.
///
/// A file belongs to one bundle by the hash of that bundle's own references; after a new bundle comes, old files are
/// not read. On Apple platforms the file is encrypted while the device is locked, and not part of a backup.
public struct EnrolledReferences: Sendable {
  private let folder: PersonalFolder

  /// References kept in `folder`, which is made when there is something to keep.
  public init(folder: URL) {
    self.folder = PersonalFolder(folder)
  }

  /// Learns from fresh baseline recordings, keeps the moved references, and returns the bundle that judges by them.
  public func enroll(_ bundle: ECGBundle, recordings: [ECGRecording]) throws -> (ECGBundle, ECGEnrollment) {
    let enrollment = try ECGEnrollment(bundle: bundle, recordings: recordings)
    let enrolled = bundle.replacingReferences(with: enrollment.references)
    try folder.write(Data(enrolled.references.safetensors), as: name(for: bundle))
    return (enrolled, enrollment)
  }

  /// The bundle with the references that were kept for it, or as it is if there are none.
  /// - Throws: `EdgeECGError.bundle` if the kept file is damaged, or is there and can't be read: while
  ///   the device is locked it is encrypted, and judging by the unenrolled references would be another judgement.
  public func applied(to bundle: ECGBundle) throws -> ECGBundle {
    let content: Data
    do {
      content = try Data(contentsOf: folder.file(name(for: bundle)))
    } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
      return bundle
    } catch {
      throw EdgeECGError.bundle("kept references can't be read: \(error.localizedDescription)")
    }
    let references = try ECGReferences(safetensors: [UInt8](content))
    guard references.embeddingLength == bundle.encoder.embeddingLength else {
      throw EdgeECGError.bundle("kept references have \(references.embeddingLength) numbers each, the bundle's others")
    }
    return bundle.replacingReferences(with: references)
  }

  /// Forgets what was kept for the bundle.
  public func forget(_ bundle: ECGBundle) throws {
    let path = folder.file(name(for: bundle)).path
    if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
  }

  private func name(for bundle: ECGBundle) -> String {
    "\(bundle.hash(ofFile: "references.safetensors") ?? "none").safetensors"
  }
}
