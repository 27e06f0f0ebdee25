// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Glibc
import SystemCalls

/// Which of the daemon's two sockets is meant.
enum DaemonSocket {
    /// `status.sock`, which every user may read from; for root `control.sock`, which no other user can fill.
    case reading
    /// `control.sock`, which is the superuser's.
    case acting

    /// The socket's path: `given` itself, or the socket in it if it is a directory. A path that does not exist is taken for a
    /// directory unless it ends in `.sock`.
    func path(_ given: String) -> String {
        var info = stat()
        let isDirectory = stat(given, &info) == 0 ? info.st_mode & S_IFMT == S_IFDIR : !given.hasSuffix(".sock")
        guard isDirectory else { return given }
        let directory = given + (given.hasSuffix("/") ? "" : "/")
        let control = directory + Endpoint.controlSocket
        return self == .acting || geteuid() == 0 && access(control, F_OK) == 0 ? control : directory + Endpoint.statusSocket
    }

    /// Why no connection came about, for the person at the terminal.
    func failure(connectingTo path: String, errno number: CInt) -> Failure {
        let reason = SystemError.text(errno: number)
        return switch number {
        case ENOENT, ECONNREFUSED, ENOTDIR:
            Failure(.notRunning, "fwmarkd is not running (\(path): \(reason)); start it: systemctl start fwmarkd")
        case EACCES, EPERM:
            Failure(
                .failure,
                self == .acting ? "this needs root: \(path) is the superuser's (\(reason))" : "\(path): \(reason)")
        default:
            Failure(.failure, "connecting to \(path): \(reason)")
        }
    }
}
