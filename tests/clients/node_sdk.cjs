// Makes every call of Segment's SDK for Node once: node node_sdk.cjs ADDRESS KEY CONTACT. Exits with 1 where one was not taken.
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey, userId] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, maxRetries: 1 });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});

analytics.identify({ userId, traits: { plan: "pro", city: null }, messageId: "m-identify" });
analytics.track({ userId, event: "Product Added", properties: { price: 19.99, quantity: 3 }, messageId: "m-track" });
analytics.page({ userId, category: "Shop", name: "Home", properties: { path: "/" }, messageId: "m-page" });
analytics.screen({ userId, category: "Shop", name: "Basket", messageId: "m-screen" });
analytics.group({ userId, groupId: "g1", traits: { plan: "team" }, messageId: "m-group" });
analytics.alias({ userId, previousId: "somebody", messageId: "m-alias" });
analytics.track({ anonymousId: "visitor", event: "Größe Gewählt", messageId: "m-anonymous" });
analytics.track({
  userId,
  event: "Order Completed",
  properties: { revenue: 50, order_id: "o1" },
  messageId: "m-purchase",
});
analytics.closeAndFlush();
