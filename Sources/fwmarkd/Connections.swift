// SPDX-License-Identifier: GPL-2.0-or-later
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// The servers' connections: HTTP/1.1, one request each, within limits.
///
/// A connection reads nothing until its task has begun. A server that ends while connections are still in its queue drops them,
/// and they are closed; hummingbird's own ones, whose writer waits in that queue, would make NIO trap.
struct Connections: HTTPChannelHandler {
    let responder: Responder
    let limits: ServerLimits

    /// A connection that was accepted. Closed when it is not handled.
    final class Accepted: ServerChildChannelValue {
        let channel: any Channel
        init(_ channel: any Channel) { self.channel = channel }
        deinit { channel.close(promise: nil) }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Accepted> {
        channel.eventLoop.makeCompletedFuture {
            try channel.syncOptions?.setOption(.autoRead, value: false)
            let pipeline = channel.pipeline.syncOperations
            var decoder = NIOHTTPDecoderLimitConfiguration()
            decoder.maxHeaderFieldSize = limits.headerSize
            decoder.maxHeaderListSize = limits.headerSize
            decoder.maxHeaderFieldCount = 100
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(ConnectionGuard(limits))
            return Accepted(channel)
        }
    }

    func handle(value accepted: Accepted, logger: Logger) async {
        let channel = accepted.channel
        let connection = try? await channel.eventLoop.submit {
            // A channel that is closed already would never tell so again.
            guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
            let connection = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            try channel.syncOptions?.setOption(.autoRead, value: true)
            return connection
        }.get()
        guard let connection else { return }
        await handleHTTP(asyncChannel: connection, logger: logger)
    }
}
