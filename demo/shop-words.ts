/** What the demo's shop sells, calls its customers and writes into its feeds: names, shares and prices. */

export const CATEGORIES: { readonly [category: string]: readonly string[] } = {
  Books: ['Guide', 'Anthology', 'Novel', 'Atlas', 'Cookbook'],
  Clothing: ['Jeans', 'Jacket', 'Scarf', 'Shirt', 'Socks'],
  Electronics: ['Headphones', 'Speaker', 'Charger', 'Camera', 'Keyboard'],
  Home: ['Lamp', 'Kettle', 'Blanket', 'Shelf', 'Clock'],
  Toys: ['Car', 'Puzzle', 'Robot', 'Blocks', 'Kite'],
};
export const ADJECTIVES = ['Classic', 'Compact', 'Fun', 'Portable', 'Deluxe', 'Eco', 'Vintage', 'Smart'];
export const FIRST_NAMES = ['Ada', 'Ben', 'Chloe', 'David', 'Elif', 'Finn', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Kim'];
export const LAST_NAMES = ['Adams', 'Berg', 'Costa', 'Diaz', 'Evans', 'Fischer', 'Garcia', 'Holm', 'Ito', 'Jones'];
export const STREETS = ['Oak Street', 'Maple Avenue', 'Hill Road', 'River Lane', 'Station Street', 'Park Avenue'];
export const CITIES = ['Springfield', 'Fairview', 'Riverton', 'Lakewood', 'Georgetown', 'Ashland', 'Clinton'];
export const STATES = ['CA', 'NY', 'TX', 'WA', 'IL', 'MA', 'OH', 'GA', 'CO', 'OR', 'MN', 'FL'];
export const RETURN_REASONS = [
  'Changed mind',
  'Found a better price',
  'Defective',
  'Damaged in transit',
  'Arrived damaged',
  'Wrong item',
  'Product did not match description',
  'No longer needed',
  'Item arrived late',
];
/** What sources write where they have nothing; all of it reads as null. */
export const BLANKS = ['', 'none', 'NULL', 'n/a', 'nan', '  '];

/** Values and how many of a hundred have them. */
export type Shares = { readonly [value: string]: number };

export const CHANNELS: Shares = { Web: 45, Phone: 20, 'Social Media': 15, Ebay: 15, NewEgg: 5 };
export const SPEEDS: Shares = { Standard: 65, 'Two-Day': 20, Overnight: 15 };
export const METHODS: Shares = { 'Credit Card': 45, PayPal: 25, 'Apple Pay': 13, 'Google Pay': 11, ACH: 6 };
export const TIERS: Shares = { Bronze: 50, Silver: 25, Gold: 15, Platinum: 10 };
export const GUEST_TIERS: Shares = { Bronze: 40, Silver: 30, Gold: 30 };
export const STATUSES: Shares = { Active: 60, Inactive: 20, Dormant: 20 };
export const SIGNUP_CHANNELS: Shares = { Website: 50, email: 20, 'Social Media': 15, Phone: 15 };
export const GENDERS: Shares = { Female: 33, Male: 33, Unknown: 34 };

/** Cents by value: what the customer pays, what it costs before noise. */
export const SHIPPING_PRICES = { Standard: 500, 'Two-Day': 4_500, Overnight: 8_000 };
export const SHIPPING_COSTS = { Standard: 450, 'Two-Day': 3_800, Overnight: 7_000 };
/** Thousandths of the net total. */
export const PAYMENT_FEES = { ACH: 10, 'Apple Pay': 20, 'Google Pay': 20, 'Credit Card': 25, PayPal: 30 };
export const MARKETPLACE_FEE = 35;
