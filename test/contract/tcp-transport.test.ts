import { TcpHarness } from "../support/tcp-harness.js";
import { transportContract } from "./transport.js";

transportContract("over TCP", () => new TcpHarness());
