import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Lets one request of each connection through, and has the connection closed behind its answer.
///
/// A client who sends thousands of requests without reading one answer then costs one answer.
final class OneRequest: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How many bytes are read at once: more than any request of ours has.
    private static let chunkSize = 4096

    private var isOver = false

    func handlerAdded(context: ChannelHandlerContext) {
        let options = context.channel.syncOptions
        try? options?.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: OneRequest.chunkSize))
        try? options?.setOption(.maxMessagesPerRead, value: 1)
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
            context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        // What comes behind the request is left in the socket, and its sender waits.
        if !isOver { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else {
            context.write(data, promise: promise)
            return
        }
        // Both ways: what was left in the socket is not to be read for its end.
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.write(data, promise: written)
    }
}
