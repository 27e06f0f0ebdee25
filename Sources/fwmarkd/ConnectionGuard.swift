// SPDX-License-Identifier: GPL-2.0-or-later
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Lets one request of each connection through, in bounded time, and has the connection closed after its answer.
///
/// A client who sends thousands of requests without reading one answer then costs one answer; one who sends half a request, or reads
/// nothing, costs a connection for some seconds.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How many bytes are read at once: more than any request of ours has.
    private static let chunkSize = 4096

    private let limits: ServerLimits
    private var isOver = false
    /// Closes the connection when it is not called off.
    private var deadline: Scheduled<Void>?

    init(_ limits: ServerLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        let options = context.channel.syncOptions
        try? options?.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ConnectionGuard.chunkSize))
        try? options?.setOption(.maxMessagesPerRead, value: 1)
        close(context, in: limits.requestTime)
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(var head):
            head.headerFields[.connection] = "close"
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .body: context.fireChannelRead(data)
        case .end:
            isOver = true
            deadline?.cancel()
            context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        // What comes after the request is left in the socket, and its sender waits.
        if !isOver { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        deadline?.cancel()
        // Called with true whenever the client has read something.
        if !context.channel.isWritable || !isOver { close(context, in: limits.stalledTime) }
        context.fireChannelWritabilityChanged()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else {
            context.write(data, promise: promise)
            return
        }
        // Both ways: what was left in the socket is not to be read for its end.
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        deadline?.cancel()
        close(context, in: limits.stalledTime)
        context.write(data, promise: written)
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }
}
